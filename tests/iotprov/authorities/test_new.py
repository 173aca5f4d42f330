"""A device CA that AWS IoT doesn't know is registered, or it is said why it can't be."""

import datetime
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from iotprov.models import CARegistration
from pki.authorities.import_ca import import_authority
from pki.models import AuditEvent, CertificateAuthority
from pki.operators.errors import OperatorError
from tests.conftest import TESTER
from tests.iotprov.authorities.registering import (
    TEMPLATE,
    Purpose,
    State,
    courtesy,
    description,
    id_of,
    in_aws,
    no_such_ca,
    pem_of,
    register,
    requests_of,
    stubbed,
)
from tests.support.aws_faults import aws_calls
from tests.support.builders import make_ca, make_key, make_name

# A new registration


def test_a_ca_is_registered_active_sni_only_and_with_the_jitp_template(
    aws_cloud, device_ca, settings
):
    settings.IOT = replace(settings.IOT, tags=(("CostCenter", "17"),))

    with requests_of("RegisterCACertificate") as asked:
        row = register(device_ca)

    assert asked == [
        {
            "caCertificate": device_ca.pem,
            "setAsActive": True,
            "certificateMode": "SNI_ONLY",
            "allowAutoRegistration": True,
            "registrationConfig": {"templateName": TEMPLATE},
            "tags": [{"Key": "CostCenter", "Value": "17"}],
        }
    ]
    assert row.state == State.REGISTERED
    assert (row.certificate_id, row.status, row.mode) == (id_of(device_ca), "ACTIVE", "SNI_ONLY")
    assert (row.is_auto_registration_on, row.template_name) == (True, TEMPLATE)
    assert row.arn.endswith(f":cacert/{row.certificate_id}") or row.arn.endswith(row.certificate_id)
    assert (row.error, row.note) == ("", "")
    assert row.checked_at is not None
    assert list(in_aws()) == [row.certificate_id]


def test_without_jitp_nothing_registers_itself(aws_cloud, device_ca, without_jitp):
    with requests_of("RegisterCACertificate") as asked:
        row = register(device_ca)

    assert asked == [
        {"caCertificate": device_ca.pem, "setAsActive": True, "certificateMode": "SNI_ONLY"}
    ]
    assert (row.is_auto_registration_on, row.template_name) == (False, "")


def test_the_signing_ca_is_registered_and_not_its_root(aws_cloud, installation):
    root = make_ca("Root")
    signing = make_ca("Signing", issuer=root)
    ca = import_authority(
        Purpose.DEVICE,
        "theirs",
        [signing.certificate, root.certificate],
        key=signing.key,
        signer="keyfile",
        actor=TESTER,
    )

    with requests_of("RegisterCACertificate") as asked:
        register(ca)

    assert [one["caCertificate"] for one in asked] == [pem_of(signing.certificate)]


def test_a_second_run_changes_nothing(aws_cloud, device_ca):
    register(device_ca)

    with aws_calls() as calls:
        row = register(device_ca)

    assert calls == ["iot:DescribeCACertificate"]
    assert row.state == State.REGISTERED
    assert CARegistration.objects.count() == 1
    assert AuditEvent.objects.filter(action="register-ca").count() == 1


def test_the_audit_row_says_what_is_held_where(aws_cloud, device_ca):
    register(device_ca)

    event = AuditEvent.objects.get(action="register-ca")
    assert (event.actor, event.target) == ("test", f"ca:{device_ca}")
    assert event.after["target"] == "default"
    assert event.after["certificate_id"] == id_of(device_ca)
    assert event.before["certificate_id"] == ""


# Mode DEFAULT: the proof that the key is ours


def test_mode_default_sends_a_certificate_that_the_ca_signed_over_the_code(
    aws_cloud, device_ca, mode_default
):
    code = "0123456789abcdef" * 4
    with (
        no_such_ca(id_of(device_ca)) as stub,
        courtesy(template={"type": "JITP"}),
        requests_of("RegisterCACertificate") as asked,
    ):
        stub.add_response("get_registration_code", {"registrationCode": code}, {})
        stub.add_response(
            "register_ca_certificate",
            {"certificateId": id_of(device_ca), "certificateArn": "arn:aws:iot:x"},
        )
        row = register(device_ca)

    (sent,) = asked
    assert sent["certificateMode"] == row.mode == "DEFAULT"
    proof = x509.load_pem_x509_certificate(sent["verificationCertificate"].encode())
    proof.verify_directly_issued_by(device_ca.certificate)
    assert proof.subject == x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, code)])
    assert proof.not_valid_after_utc - proof.not_valid_before_utc < datetime.timedelta(days=2)
    assert not proof.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert proof.public_key() != device_ca.certificate.public_key()


def test_mode_default_is_refused_for_a_ca_whose_key_is_elsewhere(
    aws_cloud, installation, mode_default
):
    theirs = make_ca("Their CA")
    ca = import_authority(
        Purpose.DEVICE, "theirs", [theirs.certificate], key=None, signer="", actor=TESTER
    )

    with aws_calls() as calls:
        row = register(ca)

    assert row.state == State.FAILED
    assert row.error == (
        "This server does not have the key of theirs. Set Properties.iotCaCertificateMode to "
        "SNI_ONLY, which needs no proof of possession."
    )
    assert "iot:RegisterCACertificate" not in calls


def test_a_mode_that_aws_holds_otherwise_stays_and_is_spoken_of(aws_cloud, device_ca):
    with stubbed() as stub:
        stub.add_response("describe_ca_certificate", description(device_ca, mode="DEFAULT"))
        row = register(device_ca)

    assert (row.state, row.mode) == (State.REGISTERED, "DEFAULT")
    assert row.note == (
        "Its certificate mode is DEFAULT and the configuration says SNI_ONLY. AWS cannot change "
        "the mode, so it stays."
    )


# What AWS IoT doesn't take


def test_a_client_ca_is_refused_before_any_call(aws_cloud, client_ca):
    with aws_calls() as calls, pytest.raises(OperatorError, match="Register a device CA"):
        register(client_ca)

    assert calls == []
    assert not CARegistration.objects.exists()


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (ed25519.Ed25519PrivateKey.generate(), "ed25519"),
        (ec.generate_private_key(ec.SECP256K1()), "ec-secp256k1"),
    ],
)
def test_a_kind_of_key_that_aws_iot_doesnt_take_is_named(aws_cloud, device_ca, key, found):
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(make_name("Odd CA"))
        .issuer_name(make_name("Odd CA"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None if found == "ed25519" else SHA256())
    )
    odd = CertificateAuthority(name="odd", purpose=Purpose.DEVICE, pem=pem_of(certificate))

    with (
        aws_calls() as calls,
        pytest.raises(
            OperatorError, match=f"The key of odd is {found}, which AWS IoT does not take"
        ),
    ):
        register(odd)
    assert calls == []


def test_a_ca_that_an_unfit_signature_vouches_for_is_named(aws_cloud, device_ca):
    root = ed25519.Ed25519PrivateKey.generate()
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(make_name("Odd CA"))
        .issuer_name(make_name("Odd Root"))
        .public_key(make_key().public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root, None)
    )
    odd = CertificateAuthority(name="odd", purpose=Purpose.DEVICE, pem=pem_of(certificate))

    with pytest.raises(OperatorError, match=r"signed in a way that .* \(1\.3\.101\.112\)"):
        register(odd)
