"""import_aws: an installation of the CDK sample goes on here, with the CAs that it has."""

import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command

from estserver.config import PROJECT_ROOT
from iotprov.adoption.installation import import_installation
from iotprov.adoption.lines import State
from iotprov.conf import IoTTarget
from iotprov.documents import versions
from iotprov.models import CARegistration, DocumentVersion
from pki.authorities.bootstrap import bootstrap_cas
from pki.aws.clients import aws_client
from pki.conf import DeviceCASettings, ProfileSettings
from pki.models import AuditEvent, CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.iotprov.aws_edge import AWSEdge
from tests.iotprov.samples import CASES
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import BuiltCA, make_ca, make_certificate, make_csr, make_key
from tests.support.est_client import ESTClient

# As in config/config-sample-all-generated.yaml.
CERTIFICATE_SECRET = "estIotCoreCaSecretCert4"
KEY_SECRET = "estIotCoreCaSecretKey4"
CLIENT_CA_SECRET = "estMtlsCaSecrets"
CLIENT_SECRET = "estMtlsClientSecrets"
POLICY, TEMPLATE = "est_iot_policy_default", "est_iot_provisioning_template"
ROLE = "arn:aws:iam::123456789012:role/ESTServerDeviceProvisioningRole"
REGION, ACCOUNT = "eu-central-1", "123456789012"

PKCS8, PKCS1 = PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL
AS_THE_SAMPLE = [
    pytest.param(("rsa-4096", PKCS8), id="PKCS8"),
    pytest.param(("rsa-4096", PKCS1), id="PKCS1"),
]
"""The sample generates RSA-4096 keys; where it makes no difference, the tests take faster ones."""

Kind = DocumentVersion.Kind

LITERAL_NAME = (CASES / "template-literal-thing-name.json").read_text()


def certificate_pem(built):
    return built.certificate.public_bytes(Encoding.PEM).decode()


def key_pem(built, form=PKCS8):
    return built.key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def put_secret(name, text):
    aws_client("secretsmanager").create_secret(Name=name, SecretString=text)


@dataclass(frozen=True)
class Sample:
    """The CAs of an installation of the sample."""

    device_ca: BuiltCA
    client_ca: BuiltCA


@pytest.fixture(autouse=True)
def _sample_configuration(data_dir, settings, db):
    """The keys of AWS IoT as in the sample's file; no signer is named in it."""
    settings.IOT = replace(settings.IOT, configure_jitp=True)
    get_signer.cache_clear()


@pytest.fixture
def sample(request, aws_cloud):
    """What the sample's stack leaves in an account, but for the template, which moto lacks."""
    algorithm, form = getattr(request, "param", ("ec-p256", PKCS8))
    device_ca = make_ca("AWS IoT Device CA", key=make_key(algorithm, 0))
    client_ca = make_ca("EST mTLS CA", key=make_key(algorithm, 1))
    put_secret(CERTIFICATE_SECRET, certificate_pem(device_ca))
    put_secret(KEY_SECRET, key_pem(device_ca, form))
    both = {"certificate": certificate_pem(client_ca), "key": key_pem(client_ca, form)}
    put_secret(CLIENT_CA_SECRET, json.dumps(both))
    put_secret(CLIENT_SECRET, json.dumps({"certificate": "x" * 100, "key": "y" * 100}))
    register_as_sample(device_ca)
    create_policy(of_file(Kind.POLICY))
    return Sample(device_ca, client_ca)


def register_as_sample(built):
    aws_client("iot").register_ca_certificate(
        caCertificate=certificate_pem(built),
        certificateMode="SNI_ONLY",
        setAsActive=True,
        allowAutoRegistration=True,
        registrationConfig={"templateName": TEMPLATE},
    )


def create_policy(document):
    aws_client("iot").create_policy(policyName=POLICY, policyDocument=json.dumps(document))


def of_file(kind, region=REGION):
    return versions.filled(
        kind, versions.body_of_file(kind), account=ACCOUNT, region=region, partition="aws"
    )


@pytest.fixture
def template_in_aws(aws_cloud):
    """Let the target hold a provisioning template."""
    edge = AWSEdge().serve()

    def hold(document, role=ROLE):
        edge.templates[TEMPLATE] = {
            "templateName": TEMPLATE,
            "versions": {3: document if isinstance(document, str) else json.dumps(document)},
            "default": 3,
            "provisioningRoleArn": role,
            "enabled": True,
            "type": "JITP",
        }

    return hold


def import_now(*, is_dry_run=False):
    """The lines, by what they are about."""
    lines = import_installation(actor=TESTER, is_dry_run=is_dry_run)
    return {line.what: line for line in lines}


def states(lines):
    return {what: line.state for what, line in lines.items()}


# Taken over


def test_everything_that_the_sample_left_is_found_and_adopted(sample, template_in_aws):
    template_in_aws(of_file(Kind.TEMPLATE))

    lines = import_now()

    assert states(lines) == {
        "device CA": State.ADOPTED,
        "client CA": State.ADOPTED,
        "first client": State.FOUND,
        "first client, .pfx": State.MISSING,
        "registered CA at default": State.ADOPTED,
        "IoT policy at default": State.ADOPTED,
        "Provisioning template at default": State.ADOPTED,
        "JITP role at default": State.FOUND,
        "devices' names": State.MANUAL,
        "API and truststore": State.MANUAL,
    }
    assert lines["device CA"].name == CERTIFICATE_SECRET
    assert lines["device CA"].text.startswith("CN=AWS IoT Device CA, ec-p256, until ")
    ca = CertificateAuthority.objects.device().get()
    assert (ca.certificate, ca.signer) == (sample.device_ca.certificate, "secretsmanager")
    registration = CARegistration.objects.get()
    assert registration.ca == ca
    assert registration.state == CARegistration.State.REGISTERED
    assert registration.certificate_id == sample.device_ca.certificate.fingerprint(SHA256()).hex()
    assert registration.template_name == TEMPLATE


def test_a_second_run_finds_the_same_and_adopts_nothing_twice(sample, template_in_aws):
    template_in_aws(of_file(Kind.TEMPLATE))
    import_now()
    rows, trail = _rows(), AuditEvent.objects.count()

    lines = import_now()

    assert State.ADOPTED not in states(lines).values()
    assert lines["device CA"].text.endswith("on record as device-ca.")
    assert lines["IoT policy at default"].state == State.FOUND
    assert (_rows(), AuditEvent.objects.count()) == (rows, trail)


def _rows():
    return [
        list(model.objects.order_by("pk").values_list("pk", flat=True))
        for model in (CertificateAuthority, CARegistration, DocumentVersion)
    ]


def test_a_dry_run_says_it_all_and_writes_nothing(sample, template_in_aws):
    template_in_aws(of_file(Kind.TEMPLATE))

    lines = import_now(is_dry_run=True)

    assert State.ADOPTED not in states(lines).values()
    assert lines["device CA"].text.endswith("would be adopted.")
    assert "would be recorded as the first version" in lines["IoT policy at default"].text
    assert _rows() == [[], [], []]
    assert not AuditEvent.objects.exists()


def test_nothing_is_changed_in_aws(sample, template_in_aws):
    template_in_aws(of_file(Kind.TEMPLATE))

    with aws_calls() as calls:
        import_now()

    reading = ("Get", "Describe", "List", "AssumeRole")
    assert [call for call in calls if not call.partition(":")[2].startswith(reading)] == []


@pytest.mark.parametrize("sample", AS_THE_SAMPLE, indirect=True)
def test_a_device_of_the_sample_renews_with_the_same_ca(sample, template_in_aws, settings):
    template_in_aws(of_file(Kind.TEMPLATE))
    settings.PKI = replace(settings.PKI, profile=ProfileSettings(can_adopt_names=True))
    device = ESTClient(make_certificate(sample.client_ca, "factory client"))

    lines = import_now()
    bootstrapped = bootstrap_cas(actor=TESTER)

    assert lines["devices' names"].state == State.FOUND
    assert bootstrapped[:2] == [
        "device CA device-ca: on record, left as it is",
        "client CA client-ca: on record, left as it is",
    ]
    renewed = device.simplereenroll(make_csr("sensor-1")).certificate
    renewed.verify_directly_issued_by(sample.device_ca.certificate)
    assert device.cacerts().certificates == [sample.device_ca.certificate]
    assert IssuedCertificate.objects.for_name("sensor-1").get().ca.signer == "secretsmanager"
    again = device.using(renewed).simplereenroll(make_csr("sensor-1", key=make_key("ec-p256", 7)))
    again.certificate.verify_directly_issued_by(sample.device_ca.certificate)


def test_after_it_register_ca_finds_the_ca_and_registers_nothing(sample, template_in_aws):
    template_in_aws(of_file(Kind.TEMPLATE))
    import_now()

    with aws_calls() as calls:
        call_command("register_ca", stdout=io.StringIO())

    assert calls == ["iot:DescribeCACertificate"]


@pytest.mark.parametrize("sample", AS_THE_SAMPLE[:1], indirect=True)
def test_the_samples_own_file_is_enough(sample, aws_cloud, tmp_path):
    environ = {
        **os.environ,
        "EST_CONFIG": str(PROJECT_ROOT / "config" / "config-sample-all-generated.yaml"),
        "EST_DATA_DIR": str(tmp_path / "data"),
        "DJANGO_SETTINGS_MODULE": "estserver.settings.admin",
        "AWS_ENDPOINT_URL": aws_cloud.url,
    }

    def manage(*arguments):
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=PROJECT_ROOT,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    assert manage("migrate", "-v0").returncode == 0
    said = manage("import_aws")

    assert said.returncode == 3, said.stderr  # moto has no DescribeProvisioningTemplate
    table = {line[:32].strip(): line for line in said.stdout.splitlines()}
    assert "  adopted  CN=AWS IoT Device CA, rsa-4096" in table["device CA"]
    assert "  adopted  CN=EST mTLS CA, rsa-4096" in table["client CA"]
    assert "  adopted  Version 1 in AWS is" in table["IoT policy at default"]
    assert "PRIVATE KEY" not in said.stdout + said.stderr


# Not there, not whole, not ours


@pytest.mark.parametrize("placeholder", ["NULL", "NONE", " ", "x" * 10])
def test_a_placeholder_is_no_ca(aws_cloud, template_in_aws, placeholder):
    for name in (CERTIFICATE_SECRET, KEY_SECRET, CLIENT_CA_SECRET):
        put_secret(name, placeholder)

    lines = import_now()

    assert {lines[what].state for what in ("device CA", "client CA")} == {State.MISSING}
    assert "bootstrap_cas makes or imports one" in lines["device CA"].text
    assert not CertificateAuthority.objects.exists()


def test_an_empty_account_has_nothing_of_it(aws_cloud, template_in_aws):
    lines = import_now()

    found = states(lines)
    assert {found.pop("devices' names"), found.pop("API and truststore")} == {State.MANUAL}
    assert set(found.values()) == {State.MISSING}
    assert lines["IoT policy at default"].text.endswith("Run sync_policy, which makes it.")
    assert "registered CA at default" not in lines


def test_a_key_that_isnt_the_certificates_is_a_line_and_the_rest_goes_on(
    aws_cloud, template_in_aws
):
    put_secret(CERTIFICATE_SECRET, certificate_pem(make_ca("One")))
    put_secret(KEY_SECRET, key_pem(make_ca("Another")))
    create_policy(of_file(Kind.POLICY))

    lines = import_now()

    assert lines["device CA"].state == State.DIFFERS
    assert f"The key in the secret {KEY_SECRET} is not that of" in lines["device CA"].text
    assert "BEGIN" not in lines["device CA"].text
    assert lines["IoT policy at default"].state == State.ADOPTED


def test_a_ca_that_was_made_here_before_isnt_replaced_in_silence(sample, template_in_aws):
    bootstrap_cas(actor=TESTER)

    lines = import_now()

    assert lines["device CA"].state == State.DIFFERS
    assert lines["device CA"].text.endswith(
        "Another CA is on record, device-ca. Set Properties.deviceCaSigner to secretsmanager and "
        "run bootstrap_cas --force, so that this CA succeeds it."
    )
    assert not CARegistration.objects.exists()


def test_a_ca_that_isnt_registered_is_a_line(sample, template_in_aws):
    client = aws_client("iot")
    known = sample.device_ca.certificate.fingerprint(SHA256()).hex()
    client.update_ca_certificate(certificateId=known, newStatus="INACTIVE")
    assert "status INACTIVE -> ACTIVE" in import_now()["registered CA at default"].text
    client.delete_ca_certificate(certificateId=known)

    line = import_now()["registered CA at default"]

    assert (line.state, line.text) == (
        State.MISSING,
        "AWS IoT does not know it. Run register_ca.",
    )


def test_with_a_truststore_no_client_ca_is_taken_from_a_secret(
    sample, template_in_aws, settings, tmp_path
):
    plan = replace(settings.PKI.client_ca, truststore_path=tmp_path / "truststore.pem")
    settings.PKI = replace(settings.PKI, client_ca=plan)

    line = import_now()["client CA"]

    assert (line.name, line.state) == ("truststore.pem", State.MANUAL)
    assert not CertificateAuthority.objects.client().exists()


def test_a_pki_outside_goes_on_signing(aws_cloud, template_in_aws, settings):
    theirs = make_ca("Their CA")
    put_secret(CERTIFICATE_SECRET, certificate_pem(theirs))
    put_secret(KEY_SECRET, "NULL")

    without = import_now()["device CA"]
    settings.PKI = replace(
        settings.PKI,
        signers={
            **settings.PKI.signers,
            "external": {
                "BACKEND": "pki.signers.external.ExternalSigner",
                "OPTIONS": {"class": "tests.support.plugins.ExternalPKI"},
            },
        },
        device_ca=DeviceCASettings(
            certificate_secret_name=CERTIFICATE_SECRET, key_secret_name=KEY_SECRET
        ),
    )
    get_signer.cache_clear()
    with_class = import_now()["device CA"]

    assert without.state == State.DIFFERS
    assert "set Properties.externalSignerClass" in without.text
    assert with_class.state == State.ADOPTED
    assert CertificateAuthority.objects.device().get().signer == "external"


# Documents


def test_what_the_file_gives_is_recorded_as_the_file_has_it(sample, template_in_aws):
    template_in_aws(of_file(Kind.TEMPLATE))

    import_now()

    for kind in (Kind.POLICY, Kind.TEMPLATE):
        version = versions.current(kind)
        assert (version.number, version.body) == (1, versions.body_of_file(kind))
        assert version.reason == "import_aws: as default holds it"


def test_another_policy_is_recorded_for_any_region_and_account(sample, template_in_aws):
    changed = of_file(Kind.POLICY)
    changed["Statement"][1]["Resource"] = [changed["Statement"][1]["Resource"][0]]
    aws_client("iot").create_policy_version(
        policyName=POLICY, policyDocument=json.dumps(changed), setAsDefault=True
    )

    line = import_now()["IoT policy at default"]

    assert (line.state, line.text) == (
        State.ADOPTED,
        f"Version 2 in AWS is {POLICY} v1 here.",
    )
    body = versions.current(Kind.POLICY).body
    assert REGION not in body
    assert ACCOUNT not in body
    place = {"account": ACCOUNT, "region": REGION, "partition": "aws"}
    assert versions.filled(Kind.POLICY, body, **place) == changed


def test_a_version_on_record_is_compared_with_what_aws_holds(sample, template_in_aws):
    import_now()
    changed = of_file(Kind.POLICY)
    del changed["Statement"][3]
    aws_client("iot").create_policy_version(
        policyName=POLICY, policyDocument=json.dumps(changed), setAsDefault=True
    )

    line = import_now()["IoT policy at default"]

    assert line.state == State.DIFFERS
    assert "Run sync_policy --dry-run to see the difference" in line.text
    assert DocumentVersion.objects.filter(kind=Kind.POLICY).count() == 1


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("{", "AWS IoT cannot be read"),
        ({"Parameters": {}}, "cannot be used"),
        (json.loads(LITERAL_NAME), "The ThingName is the same for every device"),
    ],
)
@pytest.mark.parametrize("is_dry_run", [True, False])
def test_T47_a_template_that_isnt_sound_isnt_taken(
    aws_cloud, template_in_aws, body, complaint, is_dry_run
):
    template_in_aws(body)

    line = import_now(is_dry_run=is_dry_run)["Provisioning template at default"]

    assert line.state == State.DIFFERS
    assert complaint in line.text
    assert line.text.endswith("then run sync_template.")
    assert not DocumentVersion.objects.exists()


def test_the_samples_role_is_kept_by_naming_it(aws_cloud, template_in_aws):
    template_in_aws(
        of_file(Kind.TEMPLATE), role="arn:aws:iam::123456789012:role/service/Their-Role"
    )

    line = import_now()["JITP role at default"]

    assert (line.name, line.state) == ("Their-Role", State.DIFFERS)
    assert "set Properties.iotProvisioningRoleName to Their-Role" in line.text


def test_each_target_is_looked_at_on_its_own(sample, template_in_aws, settings):
    settings.IOT = replace(
        settings.IOT, targets=(IoTTarget("default"), IoTTarget("us", "us-east-1"))
    )
    other = {**of_file(Kind.POLICY, "us-east-1")}
    aws_client("iot", IoTTarget("us", "us-east-1").place).create_policy(
        policyName=POLICY, policyDocument=json.dumps(other)
    )

    lines = import_now()

    assert lines["IoT policy at default"].state == State.ADOPTED
    assert lines["IoT policy at us"].state == State.FOUND
    assert lines["registered CA at us"].state == State.MISSING


# Faults


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("secretsmanager", "GetSecretValue"),
        ("iot", "DescribeCACertificate"),
        ("iot", "GetPolicy"),
        ("iot", "DescribeProvisioningTemplate"),
        ("sts", "GetCallerIdentity"),
    ],
)
def test_T20_a_call_that_fails_is_a_line_and_the_next_run_makes_up_for_it(
    aws_cloud, request, fault, service, operation
):
    if operation != "DescribeProvisioningTemplate":  # the fault stands in front of moto
        request.getfixturevalue("template_in_aws")
    built = make_ca("A small CA")
    put_secret(CERTIFICATE_SECRET, certificate_pem(built))
    put_secret(KEY_SECRET, key_pem(built))
    register_as_sample(built)
    create_policy(of_file(Kind.POLICY))

    with failing(service, operation, fault, times=1) as met:
        first = import_now()
    request.getfixturevalue("template_in_aws")(of_file(Kind.TEMPLATE))
    second = import_now()

    assert met.met == 1
    (failed,) = [line for line in first.values() if line.state == State.FAILED]
    assert f"{service}:{operation} failed with" in failed.text
    assert State.FAILED not in states(second).values()
    assert CertificateAuthority.objects.device().count() == 1
    assert CARegistration.objects.count() == 1
    assert DocumentVersion.objects.count() == 2


def test_what_couldnt_be_looked_at_ends_the_command_with_3(sample, template_in_aws):
    out = io.StringIO()
    with (
        failing("iot", "GetPolicy", Fault.ACCESS_DENIED),
        pytest.raises(CommandError, match="1 of the parts could not be read") as caught,
    ):
        call_command("import_aws", stdout=out)

    assert caught.value.returncode == 3
    assert "iot:GetPolicy failed with AccessDeniedException" in out.getvalue()
    assert CertificateAuthority.objects.count() == 2


def test_names_are_let_in_by_the_profile_that_is_in_force(aws_cloud, template_in_aws):
    bootstrap_cas(actor=TESTER)
    assert "Run profile_set default can_adopt_names=true" in import_now()["devices' names"].text

    CertificateProfile.objects.update(identity_rule="same-cn")
    assert import_now()["devices' names"].state == State.FOUND
