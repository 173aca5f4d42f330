"""`sync_policy`, `sync_template` and `preview_iot`, as an operator runs them."""

import json
from dataclasses import replace
from io import StringIO

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.core.management import call_command
from django.core.management.base import CommandError

from iotprov.conf import IoTTarget
from iotprov.documents.versions import add_version, current
from iotprov.models import DocumentPush, DocumentVersion
from pki.models import IssuedCertificate
from pki.record.audit_trail import Actor
from tests.iotprov.aws_edge import TIMEOUT, AWSEdge, aws_edge
from tests.iotprov.samples import CASES, POLICY
from tests.support.builders import make_ca, make_certificate, make_csr, make_name

__all__ = ["aws_edge"]

Kind = DocumentVersion.Kind
ALICE = Actor("admin:alice")
POLICY_NAME = "est_iot_policy_default"
OTHER_POLICY = POLICY.replace("messages/", "telemetry/")


def run(command, *args):
    """What the command writes to standard output."""
    out = StringIO()
    call_command(command, *args, stdout=out, stderr=StringIO())
    return out.getvalue()


def refusal(command, *args):
    """The sentence and the exit code with which the command ends."""
    with pytest.raises(CommandError) as raised:
        run(command, *args)
    return str(raised.value), raised.value.returncode


@pytest.mark.django_db
class TestSync:
    def test_policy_then_template_then_nothing(self, aws_edge):
        assert run("sync_policy") == f"default: {POLICY_NAME} was made (version 1).\n"
        assert run("sync_template").splitlines() == [
            "default: est_iot_provisioning_template was made (version 1).",
            "  The push had to make the role ESTServerDeviceProvisioningRole.",
        ]
        assert run("sync_policy") == f"default: {POLICY_NAME} is up to date (version 1).\n"
        assert run("sync_template") == (
            "default: est_iot_provisioning_template is up to date (version 1).\n"
        )

    def test_template_before_its_policy_is_refused_with_exit_code_1(self, aws_edge):
        sentence, code = refusal("sync_template")

        assert "Run manage.py sync_policy first" in sentence
        assert code == 1

    def test_dry_run_prints_the_diff(self, aws_edge):
        run("sync_policy")
        add_version(Kind.POLICY, OTHER_POLICY, actor=ALICE, reason="test")

        lines = run("sync_policy", "--dry-run").splitlines()

        assert lines[0] == f"default: {POLICY_NAME} would change (version 1 now)."
        assert lines[1].startswith("--- ")
        assert any(line.startswith("+ ") and "telemetry" in line for line in lines)
        assert DocumentPush.objects.get().version is None

    def test_warnings_are_told_and_keep_nothing_back(self, aws_edge):
        err = StringIO()
        wide = POLICY.replace('"iot:Publish"', '"iot:*"')
        add_version(Kind.POLICY, wide, actor=ALICE, reason="test")

        with pytest.raises(CommandError, match="Add --yes"):
            call_command("sync_policy", stdout=StringIO(), stderr=StringIO())
        assert not DocumentPush.objects.exists()
        call_command("sync_policy", "--yes", stdout=StringIO(), stderr=err)

        assert "Warning: Line 14, column 9: iot:* allows every action" in err.getvalue()
        assert DocumentPush.objects.get().error == ""

    @pytest.mark.parametrize(
        ("fault", "told"),
        [
            ({"code": "AccessDeniedException", "status": 403}, "Allow the role or user"),
            ({"code": "ThrottlingException", "status": 429}, "have the account's quota raised"),
            ({"code": TIMEOUT}, "the endpoint did not answer in time"),
        ],
    )
    def test_failure_of_aws_is_one_sentence_with_exit_code_3(self, aws_edge, fault, told):
        aws_edge.fail("GetPolicy", **fault)

        sentence, code = refusal("sync_policy")

        assert code == 3
        assert sentence.startswith("default: iot:GetPolicy failed with ")
        assert told in sentence
        assert "\n" not in sentence
        assert DocumentPush.objects.get().error in sentence

    def test_one_target_of_several(self, aws_edge, settings):
        targets = (IoTTarget("ireland", "eu-west-1"), IoTTarget("virginia", "us-east-1"))
        settings.IOT = replace(settings.IOT, targets=targets)
        edge = AWSEdge().serve(targets[0].place)

        assert run("sync_policy", "--target", "virginia").startswith("virginia: ")
        assert edge.calls == []
        assert refusal("sync_policy", "--target", "venus") == (
            "There is no target 'venus' in Properties.iotTargets. Choose one of ireland, virginia.",
            1,
        )

    @pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
    def test_T47_a_policy_of_another_account_and_region_is_warned_of(self, aws_edge, arguments):
        body = (CASES / "policy-other-account-and-region.json").read_text()
        add_version(Kind.POLICY, body, actor=ALICE, reason="test")
        warning = (
            "  Warning: Line 7, column 19: The policy names account 111122223333 and region "
            "us-east-1, and the target default is account 123456789012 and region eu-central-1. "
        )

        for _ in range(2):  # also when AWS has it already
            said = run("sync_policy", *arguments).splitlines()
            assert len([line for line in said if line.startswith(warning)]) == 1

    def test_T47_placeholders_and_the_targets_own_place_are_not_warned_of(self, aws_edge):
        own = POLICY.replace("<REGION>", "eu-central-1", 1).replace("<ACCOUNT_ID>", "*", 1)
        add_version(Kind.POLICY, own, actor=ALICE, reason="test")

        assert run("sync_policy") == f"default: {POLICY_NAME} was made (version 1).\n"

    def test_targets_that_work_are_told_beside_the_one_that_fails(self, aws_edge, settings):
        targets = (IoTTarget("ireland", "eu-west-1"), IoTTarget("virginia", "us-east-1"))
        settings.IOT = replace(settings.IOT, targets=targets)
        AWSEdge().serve(targets[0].place).fail("GetPolicy", "UnauthorizedException", status=401)
        out = StringIO()

        with pytest.raises(CommandError, match=r"^ireland: iot:GetPolicy at ireland") as raised:
            call_command("sync_policy", stdout=out, stderr=StringIO())

        assert raised.value.returncode == 3
        assert out.getvalue() == f"virginia: {POLICY_NAME} was made (version 1).\n"

    def test_file_becomes_a_version_when_it_differs(self, aws_edge, settings, tmp_path):
        add_version(Kind.POLICY, POLICY, actor=ALICE, reason="test")
        path = tmp_path / "policy.json"
        path.write_text(OTHER_POLICY)
        settings.IOT = replace(settings.IOT, policy_path=path)

        assert refusal("sync_policy", "--from-file") == (
            "A new version needs a reason. Give one with --reason.",
            1,
        )
        out = run("sync_policy", "--from-file", "--reason", "telemetry")
        assert out.splitlines()[0] == f"{POLICY_NAME} v2 is in force, from the file"
        assert current(Kind.POLICY).body == OTHER_POLICY
        again = run("sync_policy", "--from-file", "--reason", "telemetry")
        assert again.splitlines()[0] == f"the file is the same as {POLICY_NAME} v2"
        assert current(Kind.POLICY).number == 2

    def test_dry_run_puts_nothing_in_force(self, aws_edge):
        sentence, code = refusal("sync_policy", "--from-file", "--reason", "x", "--dry-run")

        assert "Leave out --dry-run" in sentence
        assert code == 1
        assert current(Kind.POLICY) is None

    def test_bad_document_is_refused_with_exit_code_1(self, aws_edge, settings, tmp_path):
        path = tmp_path / "policy.json"
        path.write_text('{"Version": "2012-10-17",\n "Statement": {}}')
        settings.IOT = replace(settings.IOT, policy_path=path)

        assert refusal("sync_policy") == (
            "The IoT policy cannot be used. Line 2, column 15: The policy has no Statement.",
            1,
        )
        path.unlink()
        sentence, code = refusal("sync_policy")
        assert sentence.startswith(f"{path} cannot be read: ")
        assert code == 1


def subject():
    return make_name("sensor-1", serial_number="SN-1", country="DE")


@pytest.fixture
def certificate():
    return make_certificate(make_ca("Device CA"), subject=subject())


class TestPreview:
    @pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
    def test_certificate_in_a_file(self, installation, certificate, tmp_path, encoding):
        path = tmp_path / "device"
        path.write_bytes(certificate.public_bytes(encoding))

        out = run("preview_iot", str(path))

        head, policy = out.split("\n{", 1)
        assert "thing: sensor-1" in head.splitlines()
        assert "attribute serialNumber: SN-1" in head.splitlines()
        assert "certificate: ACTIVE" in head.splitlines()
        assert f"policies: {POLICY_NAME}" in head.splitlines()
        assert "left as they are" not in head
        statements = json.loads("{" + policy)["Statement"]
        assert statements[0]["Resource"] == "arn:aws:iot:<REGION>:<ACCOUNT_ID>:client/sensor-1"
        assert statements[1]["Resource"][1].endswith(":topic/$aws/things/sensor-1/*")

    def test_csr_gets_the_subject_that_its_certificate_would_have(self, installation, tmp_path):
        path = tmp_path / "device.csr"
        path.write_bytes(make_csr(subject=subject()))

        found = json.loads(run("preview_iot", str(path), "--json"))

        assert found["certificate_id"] == ""
        assert found["thing"]["thing_name"] == "sensor-1"
        assert found["thing"]["attributes"] == {"version": "v1", "serialNumber": "SN-1"}
        assert found["thing"]["overrides"]["attributes"] == "DO_NOTHING"
        assert "serialNumber=SN-1" in found["subject"]

    def test_csr_that_would_not_be_signed_is_refused(self, installation, tmp_path):
        path = tmp_path / "device.csr"
        path.write_bytes(make_csr("not a thing name"))

        sentence, code = refusal("preview_iot", str(path))

        assert "cannot be an AWS IoT thing name" in sentence
        assert code == 1

    def test_certificate_on_record(self, est_client):
        est_client.simpleenroll(make_csr(subject=subject()))
        row = IssuedCertificate.objects.get(common_name="sensor-1")

        out = run("preview_iot", row.serial_number)

        digest = row.fingerprint_sha256
        assert f"certificate ID: {digest}" in out.splitlines()

    def test_target_fills_in_account_and_region(
        self, installation, certificate, tmp_path, aws_cloud
    ):
        path = tmp_path / "device.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))

        found = json.loads(run("preview_iot", str(path), "--target", "default", "--json"))

        assert found["policy"]["Statement"][0]["Resource"] == (
            "arn:aws:iot:eu-central-1:123456789012:client/sensor-1"
        )

    def test_every_kind_of_variable_is_resolved_and_the_rest_is_named(
        self, installation, certificate, tmp_path
    ):
        own = [
            "${iot:ClientId}",
            "${iot:Connection.Thing.IsAttached}",
            "${iot:Connection.Thing.Attributes[serialNumber]}",
            "${iot:Certificate.Subject.Country}",
            "${iot:Certificate.Subject.Country.0}",
            "${iot:Certificate.Issuer.CommonName}",
            "${iot:Certificate.Subject.Country.1}",
            "${iot:Connection.Thing.ThingTypeName}",
            "${aws:SourceIp}",
            "${*}",
        ]
        arn = "arn:aws:iot:<REGION>:<ACCOUNT_ID>:topic/" + "/".join(own)
        body = json.loads(POLICY)
        body["Statement"][1]["Resource"] = arn
        add_version(Kind.POLICY, json.dumps(body), actor=ALICE, reason="test")
        path = tmp_path / "device.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))

        found = json.loads(run("preview_iot", str(path), "--json"))

        resolved = found["policy"]["Statement"][1]["Resource"].removeprefix(
            "arn:aws:iot:<REGION>:<ACCOUNT_ID>:topic/"
        )
        assert resolved.split("/") == [
            "sensor-1",
            "true",
            "SN-1",
            "DE",
            "DE",
            "Device CA",
            *own[6:],
        ]
        assert found["unresolved"] == [
            "iot:Certificate.Subject.Country.1",
            "iot:Connection.Thing.ThingTypeName",
            "aws:SourceIp",
        ]

    def test_value_with_a_wildcard_is_not_put_in(self, installation, tmp_path):
        subject = x509.Name(
            [
                *make_name("sensor-1", serial_number="SN-1", country="DE"),
                x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "any*"),
            ]
        )
        body = POLICY.replace("messages/", "${iot:Certificate.Subject.Organization}/")
        add_version(Kind.POLICY, body, actor=ALICE, reason="test")
        path = tmp_path / "device.pem"
        made = make_certificate(make_ca(), subject=subject)
        path.write_bytes(made.public_bytes(Encoding.PEM))

        found = json.loads(run("preview_iot", str(path), "--json"))

        assert found["unresolved"] == ["iot:Certificate.Subject.Organization"]

    def test_device_that_aws_iot_would_refuse_is_refused(self, installation, tmp_path):
        path = tmp_path / "device.pem"
        made = make_certificate(make_ca(), "sensor-1")
        path.write_bytes(made.public_bytes(Encoding.PEM))

        sentence, code = refusal("preview_iot", str(path))

        assert "AWS IoT would refuse the device at its first connection" in sentence
        assert code == 1

    @pytest.mark.parametrize("contents", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\n"])
    def test_what_is_no_certificate_is_refused(self, db, tmp_path, contents):
        path = tmp_path / "device.pem"
        path.write_bytes(contents)

        assert refusal("preview_iot", str(path)) == (
            f"{path} is neither a certificate nor a CSR. Give one in PEM or DER.",
            1,
        )

    def test_unknown_target_and_unknown_serial_number_are_refused(
        self, installation, certificate, tmp_path
    ):
        path = tmp_path / "device.pem"
        path.write_bytes(certificate.public_bytes(Encoding.PEM))

        assert refusal("preview_iot", str(path), "--target", "venus")[1] == 1
        assert refusal("preview_iot", "abcdef")[1] == 1
        assert refusal("preview_iot", str(tmp_path))[0].startswith(f"{tmp_path} cannot be read: ")
