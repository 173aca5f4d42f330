"""The command `find`: the same search as the page's, over both records, for scripts too."""

import io
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import call_command
from django.core.management.base import CommandError

from estserver.operations.search import find
from iotprov.models import CARegistration, DocumentVersion, PolicyVersion, Provisioning
from pki.models import IssuedCertificate
from tests.support.builders import make_csr, make_key


@pytest.fixture
def certificate(est_client):
    """A device's certificate."""
    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200
    return IssuedCertificate.objects.get(common_name="sensor-1")


def printed(*arguments):
    out = io.StringIO()
    call_command("find", *arguments, stdout=out)
    return out.getvalue()


def test_a_thing_whose_name_the_template_made_leads_to_its_device(certificate):
    Provisioning.objects.create(certificate=certificate, target="default", thing_name="thing-77")

    found = find("arn:aws:iot:eu-west-1:123456789012:thing/thing-77")

    assert [(hit.kind, hit.title) for hit in found.hits] == [("Device", "sensor-1")]
    assert not found.advice


def test_a_device_whose_thing_has_its_name_is_one_hit(certificate):
    Provisioning.objects.create(certificate=certificate, target="default", thing_name="sensor-1")

    assert len(find("sensor-1").hits) == 1


def test_arns_of_cas_and_policies_are_found(device_ca):
    arn = f"arn:aws:iot:eu-west-1:123456789012:cacert/{'ab' * 32}"
    row = CARegistration.objects.create(ca=device_ca, target="default", certificate_id="ab" * 32)
    DocumentVersion.objects.create(kind="policy", name="base", number=1, body="{}")

    assert [hit.row for hit in find(arn).hits] == [row]
    (hit,) = find("arn:aws:iot:eu-west-1:123456789012:policy/base").hits
    assert hit.row == PolicyVersion.objects.get()


def test_the_command_prints_what_it_found(certificate):
    said = printed(certificate.serial_number[:8])

    assert said.startswith("understood as: the serial number ")
    assert f"  sensor-1 ({certificate.serial_number})  Issued, valid until" in said


def test_the_command_reads_a_file_and_prints_json(certificate, tmp_path):
    file = tmp_path / "device.pem"
    file.write_text(certificate.pem)

    said = json.loads(printed(str(file), "--json"))

    (hit,) = said["hits"]
    assert (hit["kind"], hit["id"]) == ("Certificate", str(certificate.pk))
    assert hit["table"] == "pki.issuedcertificate"


def test_pem_as_an_argument_and_on_standard_input_is_read(certificate, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(certificate.pem))

    assert certificate.serial_number in printed(certificate.pem)
    assert certificate.serial_number in printed("-")


@pytest.mark.parametrize(
    ("term", "sentence"),
    [
        ("nothing", "Nothing was found."),
        ("/no/such.pem", "/no/such.pem cannot be read: No such file or directory."),
    ],
)
def test_the_command_fails_when_nothing_is_found(installation, term, sentence):
    with pytest.raises(CommandError) as refusal:
        printed(term)

    assert (str(refusal.value), refusal.value.returncode) == (sentence, 1)


def test_T64_a_file_with_a_private_key_is_refused_and_not_quoted(installation, tmp_path):
    key = make_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    file = Path(tmp_path / "device.key")
    file.write_text(key)

    with pytest.raises(CommandError, match="is a private key") as refusal:
        printed(str(file))

    assert not any(line in str(refusal.value) for line in key.splitlines()[1:])


def test_what_a_client_wrote_moves_no_cursor(certificate):
    IssuedCertificate.objects.filter(pk=certificate.pk).update(common_name="a\x1b[31m\u202eb")

    assert "a\\x1b[31m\\u202eb" in printed(certificate.serial_number)
