"""Values that are right by themselves and wrong together, or for a deployment."""

import pytest

from estserver.config.entries import DEFAULT_SIGNERS

# Values that are right by themselves and wrong together


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "DeploymentOptions:\n  iotCoreCaPrivateKeyPath: ca.key\n",
            "config.yaml:2 DeploymentOptions.iotCoreCaPrivateKeyPath: It is set without "
            "iotCoreCaCertificatePath. Name the certificate of this key too.",
        ),
        (
            "DeploymentOptions:\n  generateIotCaCertificate: false\n",
            "config.yaml:2 DeploymentOptions.generateIotCaCertificate: It is false, and "
            "iotCoreCaCertificatePath is not set. Set that path, or set this to true.",
        ),
        (
            "DeploymentOptions:\n  iotCoreCaCertificatePath: ca.pem\n",
            "config.yaml:2 DeploymentOptions.iotCoreCaCertificatePath: It is set without "
            "iotCoreCaPrivateKeyPath, so that an external PKI must sign. Name the key's file, or "
            "set Properties.externalSignerClass or Properties.deviceCaSigner.",
        ),
        (
            "Properties:\n  lambdaTimeoutSeconds: 20\n  apiGatewayIntegrationTimeoutSeconds: 21\n",
            "config.yaml:3 Properties.apiGatewayIntegrationTimeoutSeconds: 21 is more than "
            "lambdaTimeoutSeconds, which is 20. Lower it.",
        ),
        (
            "Properties:\n  lambdaTimeoutSeconds: 20\n",
            "config.yaml:2 Properties.lambdaTimeoutSeconds: 20 is less than "
            "apiGatewayIntegrationTimeoutSeconds, by default 29. Lower that too.",
        ),
        (
            "Properties:\n  clientCaSigner: hsm\n",
            'config.yaml:2 Properties.clientCaSigner: Found "hsm", wanted a signer that is '
            f"defined: {', '.join(DEFAULT_SIGNERS)}.",
        ),
        (
            "Properties:\n  deviceCaSigner: external\n",
            'config.yaml:2 Properties.deviceCaSigner: Found "external", wanted a signer that is '
            f"defined: {', '.join(DEFAULT_SIGNERS)}.",
        ),
        (
            "Properties:\n  externalSignerClass: a.B\n  signers:\n    external: {BACKEND: c.D}\n",
            "config.yaml:2 Properties.externalSignerClass: It defines signers.external, which line "
            "4 does too. Keep one of the two.",
        ),
        (
            "Properties:\n  identityRule: pattern\n",
            "config.yaml:2 Properties.identityRule: The rule pattern needs identityPattern. Set "
            "it, or choose another rule.",
        ),
        (
            "Properties:\n  identityPattern: '(?P<name>['\n",
            "config.yaml:2 Properties.identityPattern: This is not a regular expression "
            "(unterminated character set at position 9). Correct it.",
        ),
        (
            "Properties:\n  identityRule: pattern\n  identityPattern: 'factory-(.*)'\n",
            "config.yaml:3 Properties.identityPattern: There is no group (?P<name>...). Put it "
            "around the part that is the thing name.",
        ),
        (
            "DeploymentOptions:\n  tags: [{key: a, value: b}, {key: a, value: c}]\n",
            'config.yaml:2 DeploymentOptions.tags: The tag "a" is given twice. Keep one.',
        ),
    ],
)
def test_an_inconsistency_is_refused_in_words(refusal, text, problem):
    assert refusal(text) == [problem]


def test_a_refused_value_causes_no_second_refusal(refusal):
    problems = refusal(
        """Properties:
  lambdaTimeoutSeconds: ten
  apiGatewayIntegrationTimeoutSeconds: 100
  deviceCaSigner: kms
  signers: none
  identityRule: pattern
  identityPattern: 5
DeploymentOptions:
  iotCoreCaCertificatePath: 5
  generateIotCaCertificate: false
"""
    )

    assert [problem.split(" ")[0] for problem in problems] == [
        "config.yaml:2",
        "config.yaml:5",
        "config.yaml:7",
        "config.yaml:9",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "Properties: {deviceCaSigner: 5}\nDeploymentOptions: {iotCoreCaCertificatePath: ca.pem}",
        "DeploymentOptions: {iotCoreCaCertificatePath: ca.pem, iotCoreCaPrivateKeyPath: 5}",
        "Properties: {externalSignerClass: 5, clientCaSigner: external}",
    ],
)
def test_a_refused_value_says_nothing_about_signers(refusal, text):
    (problem,) = refusal(text)

    assert "Found 5" in problem


def test_a_placeholder_for_the_key_leaves_the_signer_as_it_is(load):
    config = load(
        """
        DeploymentOptions:
          iotCoreCaCertificatePath: ca.pem
          iotCoreCaPrivateKeyPath: "LOCAL PATH TO CA KEY"
        """
    )

    assert config.properties.device_ca_signer == "keyfile"


def test_a_placeholder_defines_no_signer(refusal):
    (problem,) = refusal(
        """
        Properties: {externalSignerClass: YOUR CLASS HERE, clientCaSigner: external}
        """
    )

    assert "wanted a signer that is defined: keyfile" in problem


def test_equal_timeouts_are_fine(load):
    config = load("Properties: {lambdaTimeoutSeconds: 20, apiGatewayIntegrationTimeoutSeconds: 20}")

    assert config.properties.lambda_timeout_seconds == 20


# Deployment


def test_every_resource_carries_our_tag_beside_yours(load):
    config = load("DeploymentOptions: {projectName: est-test, tags: [{key: a, value: b}]}")

    assert config.resource_tags == (("a", "b"), ("est-server:made-by", "est-test"))


def test_our_tag_is_not_yours_to_give(refusal):
    text = "DeploymentOptions: {tags: [{key: 'est-server:made-by', value: x}]}"

    assert refusal(text) == [
        'config.yaml:1 DeploymentOptions.tags: The tag "est-server:made-by" belongs to this '
        "server. Leave it out."
    ]


@pytest.mark.parametrize("key", ["bootstrapDomainName", "adminDomainName"])
def test_T03_a_domain_is_one_door(refusal, key):
    """A second name for mutual TLS's domain would be a way round it."""
    text = f"Properties: {{apiCustomDomainName: a.example, {key}: A.example}}"

    [line] = refusal(text)
    assert line.endswith(
        "A.example is the domain of apiCustomDomainName too. Give each a name of its own."
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Properties: {adminAllowedNetworks: [192.0.2.1]}", "wanted a network such as"),
        ("Properties: {adminAllowedNetworks: [192.0.2.1/24]}", "wanted a network such as"),
        ("DeploymentOptions: {projectName: Est}", "wanted a short name"),
        ("DeploymentOptions: {truststoreBucket: a.b.c}", "wanted the name of an S3 bucket"),
        ("DeploymentOptions: {logRetentionDays: 31}", "wanted days as CloudWatch counts them"),
        ("DeploymentOptions: {throttlingRateLimit: 0}", "wanted a whole number of requests"),
        ("DeploymentOptions: {hostedZoneId: example.com}", "wanted the id of a Route 53"),
        ("DeploymentOptions: {alarmTopicArn: night}", "wanted the ARN of an SNS topic"),
        (
            "DeploymentOptions: {vpcSubnetIds: [subnet-01234567]}",
            "It is set without vpcSecurityGroupIds. A VPC takes both.",
        ),
        ("Properties: {noticeEmails: [a@b.example]}", "It takes a mail server. Set smtpHost."),
        ("Properties: {smtpPasswordSecretName: s}", "the password of nobody. Set smtpUser."),
        ("Properties: {smtpPort: 0}", "wanted a port"),
        ("Properties: {webhookAllowedHosts: ['*.example.com']}", "without wildcard"),
    ],
)
def test_what_cant_be_deployed_is_refused_when_it_is_read(refusal, text, words):
    [line] = refusal(text)

    assert words in line
