"""How the refusal of a value or of a document reads."""

import traceback

import pytest

from estserver.config import ConfigError, load_config

# What is refused


def test_every_problem_is_listed_by_line(refusal):
    problems = refusal(
        """Properties:
  iotTemplatName: x
  iotCoreEstCaValidityYears: "ten"
  lambdaLoggerLevel: LOUD
DeploymentOptions:
  configureJITP: maybe
Extra: 1
"""
    )

    assert problems == [
        "config.yaml:2 Properties.iotTemplatName: Unknown key. Did you mean iotTemplateName?",
        'config.yaml:3 Properties.iotCoreEstCaValidityYears: Found "ten", wanted a whole number '
        "of years from 1 to 100.",
        'config.yaml:4 Properties.lambdaLoggerLevel: Found "LOUD", wanted one of DEBUG, INFO, '
        "WARNING, ERROR, CRITICAL, in any letter case.",
        'config.yaml:6 DeploymentOptions.configureJITP: Found "maybe", wanted true or false.',
        "config.yaml:7 Extra: Unknown key, wanted one of Properties, DeploymentOptions.",
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("lambdaTimeoutSeconds: 901", "Found 901, wanted a whole number of seconds from 1 to 900."),
        ("lambdaTimeoutSeconds: 0", "Found 0,"),
        ("lambdaTimeoutSeconds: 1.5", "Found 1.5,"),
        ("lambdaTimeoutSeconds: true", "Found true,"),
        (
            'lambdaTimeoutSeconds: "60"',
            'Found "60", wanted a whole number of seconds from 1 to 900. Leave out the quotes.',
        ),
        ("lambdaTimeoutSeconds: [60]", "Found a list,"),
        ("lambdaTimeoutSeconds: {a: 1}", "Found a mapping,"),
        ("apiStrictHeadersCheck: 1", "Found 1, wanted true or false."),
        ('apiStrictHeadersCheck: "true"', "Leave out the quotes."),
        ("iotPolicyName: no", "Found false,"),
        ("iotPolicyName: no", "Put text in quotes."),
        ("iotPolicyName: 12", "Put text in quotes."),
        ("iotPolicyName: a b", "wanted an AWS IoT policy name"),
        ("iotPolicyName: pölicy", "wanted an AWS IoT policy name"),
        ('iotPolicyName: "policy\\n"', r'Found "policy\n"'),
        (f"iotPolicyName: {'p' * 129}", "pp..., wanted"),
        (f"iotTemplateName: {'t' * 37}", "1 to 36 characters"),
        ("iotTemplateName: a.b", "1 to 36 characters"),
        ('iotTemplatePath: ""', "wanted the path of a file"),
        ("apiCustomDomainName: https://est.example.com", "wanted a host name"),
        ("apiCertificateArn: arn:aws:iam::1:role/x", "wanted the ARN of an ACM certificate"),
        ("enrollmentHookClass: hook", "wanted the dotted path of a class"),
        ("deviceCaSubject: ''", "wanted a common name of 1 to 64 characters"),
        ('deviceCaSubject: "a\\0b"', r'Found "a\u0000b"'),
        ("deviceCaKeyAlgorithm: rsa-1024", "wanted one of ec-p256, ec-p384, rsa-2048"),
        ("identityRule: none", "wanted one of first-use, same-cn, pattern, allow-list, any"),
        ("tags: []", "It belongs in the section DeploymentOptions."),
        ("configureJitp: true", "Unknown key. docs/configuration.md lists every key."),
        ("IOTPOLICYNAME: x", "Did you mean iotPolicyName?"),
        ("timeZone: UTC", "Unknown key."),
        (
            "signers: [keyfile]",
            "Found a list, wanted a mapping, each value a mapping with the keys "
            "BACKEND and OPTIONS.",
        ),
    ],
)
def test_a_value_is_refused_in_words(refusal, line, words):
    (problem,) = refusal(f"Properties:\n  {line}\n")

    assert problem.startswith(f"config.yaml:2 Properties.{line.split(':')[0]}: ")
    assert words in problem


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("logRetentionDays: 2", "Found 2, wanted days as CloudWatch counts them: 1, 3, 5, 7, 14,"),
        ("logRetentionDays: true", "Found true, wanted days"),
        ('logRetentionDays: "90"', " Leave out the quotes."),
        ("throttlingRateLimit: 10001", "wanted a whole number of requests from 1 to 10000"),
        ("hostedZoneId: z1", "wanted the id of a Route 53 hosted zone"),
        ('projectName: "est-server\\n"', "wanted a short name: 2 to 30 characters"),
    ],
)
def test_a_deployment_option_is_refused_in_words(refusal, line, words):
    (problem,) = refusal(f"DeploymentOptions:\n  {line}\n")

    assert problem.startswith(f"config.yaml:2 DeploymentOptions.{line.split(':')[0]}: ")
    assert words in problem


@pytest.mark.parametrize("network", ["192.0.2.1", "192.0.2.1/24", "2001:db8::1/32", "here", "/8"])
def test_a_network_has_a_prefix_length_and_no_host_bits(refusal, network):
    (problem,) = refusal(f"Properties:\n  adminAllowedNetworks: ['{network}']\n")

    assert f'Found "{network}", wanted a network such as 192.0.2.0/24' in problem


@pytest.mark.parametrize("host", ["*", ".example.com", "a b", "http://a", "", "a/b"])
def test_T04_allowed_hosts_have_no_wildcard(refusal, host):
    (problem,) = refusal(f"Properties:\n  allowedHosts:\n    - ok\n    - '{host}'\n")

    assert problem.startswith(f'config.yaml:4 Properties.allowedHosts[1]: Found "{host}", wanted a')


def test_what_is_wrong_inside_of_lists_and_mappings_has_its_line(refusal):
    problems = refusal(
        """Properties:
  signers:
    one: {BACKED: my.Signer}
    two:
      BACKEND: signer
    three: my.Signer
DeploymentOptions:
  tags:
    - key: aws:owner
      value: 12
    - kee: x
      value: y
"""
    )

    signer = "a mapping with the keys BACKEND and OPTIONS"
    assert problems == [
        "config.yaml:3 Properties.signers.one.BACKED: Unknown key. Did you mean BACKEND?",
        "config.yaml:3 Properties.signers.one.BACKEND: Missing, wanted the dotted path of a class, "
        "such as package.module.Class.",
        'config.yaml:5 Properties.signers.two.BACKEND: Found "signer", wanted the dotted path of '
        "a class, such as package.module.Class.",
        f'config.yaml:6 Properties.signers.three: Found "my.Signer", wanted {signer}.',
        'config.yaml:9 DeploymentOptions.tags[0].key: Found "aws:owner", wanted a tag key of 1 to '
        "128 characters that does not start with aws:.",
        "config.yaml:10 DeploymentOptions.tags[0].value: Found 12, wanted a tag value of up to 256 "
        "characters. Put text in quotes.",
        "config.yaml:11 DeploymentOptions.tags[1].kee: Unknown key. Did you mean key?",
        "config.yaml:11 DeploymentOptions.tags[1].key: Missing, wanted a tag key of 1 to 128 "
        "characters that does not start with aws:.",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "- a\n",
            "config.yaml:1: Found a list, wanted a mapping with the sections Properties and "
            "DeploymentOptions.",
        ),
        (
            "\nProperties: 5\n",
            "config.yaml:2 Properties: Found 5, wanted a mapping of keys to values.",
        ),
        ("Propertys: {}\n", "config.yaml:1 Propertys: Unknown key. Did you mean Properties?"),
        (
            "iotPolicyName: x\n",
            "config.yaml:1 iotPolicyName: It belongs in the section Properties.",
        ),
        (
            "Properties:\n  iotPolicyName: a\n  iotPolicyName: b\n",
            "config.yaml:3 Properties.iotPolicyName: It is given twice, first in line 2. Keep one "
            "of the two.",
        ),
        (
            "Properties: {}\nDeploymentOptions: {}\nProperties: {}\n",
            "config.yaml:3 Properties: It is given twice, first in line 1. Keep one of the two.",
        ),
        (
            "Properties:\n  yes: 1\n",
            "config.yaml:2 Properties: A key is not text. Put it in quotes.",
        ),
        (
            "Properties:\n  iotPolicyName: !!python/name:os.system\n",
            "config.yaml:2 Properties.iotPolicyName: The YAML tag "
            "'tag:yaml.org,2002:python/name:os.system' is not used here. Write plain values.",
        ),
        (
            "Properties: &all\n  signers: *all\n",
            "config.yaml:1 Properties.signers: This alias contains itself. Write the value out.",
        ),
        (
            "Properties:\n  iotPolicyName: 0b_\n",
            "config.yaml:2 Properties.iotPolicyName: It cannot be read as a number. Put it in "
            "quotes.",
        ),
    ],
)
def test_a_document_is_refused_in_words(refusal, text, problem):
    assert refusal(text) == [problem]


@pytest.mark.parametrize(
    ("text", "start", "advice"),
    [
        (
            "Properties:\n  iotPolicyName: a: b\n",
            "config.yaml:2: Column 19 is not valid YAML",
            "quotes",
        ),
        (
            "Properties:\n  iotPolicyName\n  x: 1\n",
            "config.yaml:3: Column 4",
            "colon of the line above",
        ),
        ("Properties\nDeploymentOptions:\n", "config.yaml:2: Column 18", "colon of the line above"),
        ("Properties:\n  a: 1\n  b\nc: 2\n", "config.yaml:", "Write a colon"),
        ('Properties:\n  iotPolicyName: "a\n\n', "config.yaml:2: Column 18 ", "Close the quote"),
        ('Properties:\n  iotPolicyPath: "c:\\policy"\n', "config.yaml:2: ", "Use single quotes"),
        ("Properties:\n  a: 1\n b: 2\n", "config.yaml:3: Column 2 ", "Check the indentation"),
        (
            "Properties:\n  iotPolicyName: @a\n",
            "config.yaml:2: Column 18 ",
            "Put the value in quotes",
        ),
        (
            "Properties:\n\tiotPolicyName: a\n",
            "config.yaml:2: It is indented with a tab.",
            "with spaces",
        ),
        ("Properties: {}\n---\nProperties: {}\n", "config.yaml:2: ", "Keep one document"),
        ("Properties:\n  a: \x07\n", "config.yaml:2: Character U+0007", "is not allowed in YAML"),
        ("Properties: [\n", "config.yaml:", "not valid YAML"),
        ("Properties: *nowhere\n", "config.yaml:1: Column 13 ", "undefined alias"),
    ],
)
def test_a_syntax_error_has_line_and_column_and_advice(refusal, text, start, advice):
    (problem,) = refusal(text)

    assert problem.startswith(start)
    assert advice in problem


def test_another_encoding_is_refused_with_its_line(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_bytes("Properties:\n  deviceCaSubject: Gerätefabrik\n".encode("latin-1"))

    with pytest.raises(ConfigError, match=r"^config.yaml:2: Byte 0xe4 is not UTF-8\. Save"):
        load_config(path, environ={})


def test_a_file_that_is_not_there_is_named_in_full(tmp_path):
    with pytest.raises(ConfigError, match=r"There is no such file\. Correct its name") as caught:
        load_config(environ={"EST_CONFIG": str(tmp_path / "none.yaml")})

    assert str(caught.value).startswith(str(tmp_path / "none.yaml"))


def test_a_file_that_is_a_directory_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"The file cannot be read \(is a directory\)\."):
        load_config(tmp_path, environ={})


def test_Secrets_Manager_may_have_a_CA_so_none_need_be_made_or_named(load):
    config = load(
        """
        Properties: {deviceCaSigner: secretsmanager}
        DeploymentOptions: {generateIotCaCertificate: false}
        """
    )

    assert config.properties.device_ca_signer == "secretsmanager"


def test_a_signer_that_may_have_a_CA_needs_no_certificate_of_it(load):
    config = load(
        """
        Properties:
          deviceCaSigner: pca
          signers:
            pca:
              BACKEND: pki.signers.privateca.PrivateCASigner
              OPTIONS: {certificateAuthorityArn: "arn:aws:acm-pca:..."}
        DeploymentOptions: {generateIotCaCertificate: false}
        """
    )

    assert config.properties.device_ca_signer == "pca"


# Secrets


def test_T22_a_database_password_is_in_no_refusal_and_no_repr(refusal, load):
    secret = "20070702"
    for value in (f"mysql://u:{secret}@h/db", f"postgres://u:{secret}#@h/db", secret):
        (problem,) = refusal(f"Properties:\n  databaseUrl: {value}\n")
        assert problem.startswith("config.yaml:2 Properties.databaseUrl: ")
        assert secret not in problem

    assert secret not in repr(load(f"Properties:\n  databaseUrl: postgres://u:{secret}@h/db\n"))


def test_T22_a_syntax_error_quotes_no_line_of_the_file(load):
    text = 'Properties:\n  databaseUrl: "postgres://u:hunter2@h/db" x\n'

    with pytest.raises(ConfigError) as caught:
        load(text)

    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_T22_an_option_of_a_signer_is_not_in_its_repr(load):
    config = load("Properties: {signers: {pki: {BACKEND: a.B, OPTIONS: {token: hunter2}}}}")

    assert config.properties.signers["pki"].options["token"] == "hunter2"
    assert "hunter2" not in repr(config)


def test_T22_a_bad_database_url_of_the_environment_is_refused_by_its_name(refusal):
    (problem,) = refusal("", DATABASE_URL="mysql://u:hunter2@h/db")

    assert problem.startswith("DATABASE_URL: The database URL begins with mysql://. Wanted: ")
    assert "hunter2" not in problem
