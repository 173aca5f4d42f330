"""CAs whose certificates deviate from the standards, or whose names differ in their encoding."""

import base64
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from estserver.deploy.truststore.bundle import bundle_from_file, bundle_from_pem, check_bundle
from iotprov.authorities.verification import verification_certificate
from pki.authorities.import_ca import import_authority
from pki.authorities.pem_files import read_certificates, read_private_key
from pki.authorities.succeed import make_successor
from pki.encoding.as_sent import CertificateAsSent, subject_as_it_came
from pki.encoding.certificates import is_signed_by
from pki.encoding.nodes import children, whole
from pki.encoding.pem import pem_text
from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.find import find_authority
from pki.revocation.crl import make_crl
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_csr, make_key, make_name
from tests.support.by_hand import ISSUER, SUBJECT, printable, resigned
from tests.support.openssl import openssl, verifies

CASES = Path(__file__).parents[2] / "cases"
Purpose = CertificateAuthority.Purpose
LOADED = [
    "truststore-critical-false",
    "truststore-ecdsa-null",
    "truststore-printable-underscore",
    "truststore-mixed-string-types",
    "device-ca-mixed-string-types",
]


@pytest.mark.parametrize("name", LOADED)
def test_T09_a_ca_file_with_a_deviation_on_the_list_loads(name):
    path = CASES / f"{name}.pem"

    certificates = read_certificates(path)

    assert all(is_signed_by(one, certificates[-1]) for one in certificates)
    der = [
        x.public_bytes(Encoding.DER)
        for x in bundle_from_pem(bundle_from_file(path).pem).certificates
    ]
    assert sorted(der) == sorted(one.public_bytes(Encoding.DER) for one in certificates)
    check_bundle(bundle_from_file(path))


def test_T09_a_mixed_device_ca_and_its_root_are_imported(installation):
    path = CASES / "device-ca-mixed-string-types.pem"

    ca = import_authority(
        Purpose.DEVICE,
        "mixed",
        read_certificates(path),
        key=read_private_key(path.with_suffix(".key")),
        signer="keyfile",
        actor=TESTER,
    )

    assert len(ca.chain) == 1


@pytest.mark.parametrize("position", [0, 1, 9])
def test_T09_the_certificate_and_field_at_fault_in_a_file_are_named(tmp_path, position):
    good = make_ca("Good CA")
    odd = printable(make_name("a$b").public_bytes())
    bad = pem_text(resigned(good.certificate, good.key, {SUBJECT: odd}), "CERTIFICATE")
    texts = [good.certificate.public_bytes(Encoding.PEM).decode()] * 10
    texts[position] = bad
    path = tmp_path / "cas.pem"
    path.write_text("".join(texts))
    which = {0: "first", 1: "second", 9: "10th"}[position]

    for read in (read_certificates, bundle_from_file):
        with pytest.raises(OperatorError) as refusal:
            read(path)

        assert str(refusal.value) == (
            f"{path} cannot be read as CA certificates. The {which} certificate cannot be read: "
            "its subject has the commonName as a PrintableString with the character '$'. "
            "Write the attribute as a UTF8String."
        )


def test_T09_text_around_the_certificates_of_a_file_is_passed_over(tmp_path):
    ca = make_ca("Good CA").certificate
    path = tmp_path / "cas.pem"
    path.write_bytes(
        b"\xef\xbb\xbfSubject: CN=Good CA\n" + ca.public_bytes(Encoding.PEM) + b"bye\n\0"
    )

    assert read_certificates(path) == [ca]
    whole_file = tmp_path / "base64.pem"
    whole_file.write_bytes(base64.encodebytes(path.read_bytes()) + b"\0")
    assert read_certificates(whole_file) == [ca]
    assert list(bundle_from_file(path).certificates) == [ca]


def test_T10_a_ca_with_a_curve_in_explicit_parameters_is_refused(tmp_path):
    path = tmp_path / "ca.pem"
    made = openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-pkeyopt", "ec_param_enc:explicit", "-nodes", "-keyout", tmp_path / "key.pem"),
        *("-subj", "/CN=Ulm CA", "-out", path),
    )
    assert made.returncode == 0, made.stderr

    for read in (read_certificates, bundle_from_file):
        with pytest.raises(OperatorError, match="first certificate has an EC key that spells"):
            read(path)


# --- a device CA whose name no standard allows, and which cannot be made anew


@pytest.fixture
def odd_ca(installation, change_default_profile):
    """A CA with `_` in a PrintableString and its key here, from which the profile issues."""
    good = make_ca("Ulm_CA_1", path_length=1)
    name = printable(make_name("Ulm_CA_1").public_bytes())
    der = resigned(good.certificate, good.key, {ISSUER: name, SUBJECT: name})
    with pytest.raises(ValueError, match="parsing asn1"):
        x509.load_der_x509_certificate(der)
    path = installation / "odd.pem"
    path.write_text(pem_text(der, "CERTIFICATE"))
    row = import_authority(
        Purpose.DEVICE,
        "odd",
        read_certificates(path),
        key=good.key,
        signer="keyfile",
        actor=TESTER,
    )
    change_default_profile(ca=row)
    return find_authority("odd")


def test_T09_what_a_deviating_ca_issues_has_its_name_byte_by_byte(odd_ca, est_client, tmp_path):
    response = est_client.simpleenroll(make_csr("sensor-1"))

    assert response.status_code == 200
    leaf = IssuedCertificate.objects.get(common_name="sensor-1").to_x509()
    issuer = children(children(whole(leaf.public_bytes(Encoding.DER)))[0])[ISSUER].encoded
    assert issuer == subject_as_it_came(odd_ca.certificate)
    assert issuer != odd_ca.certificate.subject.public_bytes()
    assert is_signed_by(leaf, odd_ca.certificate)
    leaf.verify_directly_issued_by(odd_ca.certificate)
    assert verifies(tmp_path, leaf, anchor=odd_ca.certificate)
    # Nothing else of what the CA's maker did is repeated.
    assert x509.Name.from_bytes(leaf.subject.public_bytes()) == make_name("sensor-1")


def test_T09_a_device_of_a_deviating_ca_renews(odd_ca, est_client):
    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200
    device = IssuedCertificate.objects.get(common_name="sensor-1").to_x509()

    renewed = est_client.using(device).simplereenroll(
        make_csr("sensor-1", key=make_key("ec-p256", 1))
    )

    assert renewed.status_code == 200
    assert IssuedCertificate.objects.filter(common_name="sensor-1", state="issued").count() == 1


def test_T09_a_deviating_ca_is_succeeded(odd_ca, est_client, tmp_path):
    """The successor has our encoding of the name, and a path from the old certificate."""
    new = make_successor(odd_ca, actor=TESTER, reason="half of its time is over")

    response = est_client.simpleenroll(make_csr("sensor-1"))

    leaf, old = response.certificate, odd_ca.certificate
    assert leaf.issuer == new.certificate.subject
    assert verifies(tmp_path, leaf, anchor=new.certificate)
    new_with_old = new.cross_certificates[0]
    issuer = children(children(whole(new_with_old.public_bytes(Encoding.DER)))[0])[ISSUER]
    assert issuer.encoded == subject_as_it_came(old)
    assert verifies(tmp_path, leaf, anchor=old, untrusted=[new_with_old])


def test_T09_a_crl_of_a_deviating_ca_verifies(odd_ca, tmp_path):
    crl, ca = tmp_path / "crl.der", tmp_path / "ca.pem"
    crl.write_bytes(make_crl(odd_ca))
    ca.write_text(odd_ca.pem)

    checked = openssl("crl", "-inform", "DER", "-in", crl, "-CAfile", ca, "-noout")

    assert "verify OK" in checked.stdout + checked.stderr


def test_T09_a_deviating_ca_proves_its_key_to_aws_iot(odd_ca, tmp_path):
    proof = verification_certificate(odd_ca, "code-1")

    assert isinstance(proof, CertificateAsSent)
    assert verifies(tmp_path, proof, anchor=odd_ca.certificate)


def test_T09_cacerts_publishes_a_deviating_ca_as_it_is(odd_ca, est_client):
    reply = est_client.cacerts()

    assert reply.status_code == 200
    assert odd_ca.certificate.public_bytes(Encoding.DER) in base64.b64decode(reply.body)


def test_T09_a_certificate_as_it_came_is_equal_to_itself_alone():
    (odd,) = read_certificates(CASES / "client-null.pem")
    (again,) = read_certificates(CASES / "client-null.pem")
    (other,) = read_certificates(CASES / "client-t61.pem")

    assert odd == again
    assert hash(odd) == hash(again)
    assert odd != other
    assert odd != make_ca("x").certificate
    assert odd.public_bytes(Encoding.PEM) == again.public_bytes(Encoding.PEM)
    with pytest.raises(ValueError, match="neither DER nor PEM"):
        odd.public_bytes(Encoding.X962)
