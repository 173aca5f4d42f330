"""``/cacerts``: what a device needs to trust, for everyone."""

import base64
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store

from pki.authorities.create import create_authority
from pki.authorities.import_ca import import_authority
from pki.authorities.succeed import make_successor
from pki.models import CertificateAuthority, CertificateProfile
from pki.record.audit_trail import Actor
from pki.record.profile_versions import change_profile
from pki.record.transactions import in_write_transaction
from tests.support.builders import make_ca, make_csr, make_key
from tests.support.est_client import BASE
from tests.support.transports import through_lambda, through_socket

TESTER = Actor("test")


def verify_as_client(leaf, intermediates, root, at=None):
    """What a TLS server does with a device's certificate."""
    builder = PolicyBuilder().store(Store([root]))
    builder = builder.extension_policies(
        ca_policy=ExtensionPolicy.webpki_defaults_ca(),
        ee_policy=ExtensionPolicy.permit_all(),
    )
    verifier = builder.time(at or datetime.now(UTC)).build_client_verifier()
    return verifier.verify(leaf, intermediates)


def openssl_verifies(tmp_path, leaf, trusted, untrusted=()):
    """What OpenSSL says of ``leaf``, with ``trusted`` as its only anchor."""
    paths = {}
    for name, certificates in (("leaf", [leaf]), ("ca", [trusted]), ("others", untrusted)):
        paths[name] = tmp_path / f"{name}.pem"
        pem = b"".join(c.public_bytes(Encoding.PEM) for c in certificates)
        paths[name].write_bytes(pem)
    more = ["-untrusted", str(paths["others"])] if untrusted else []
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile"]
    return (
        subprocess.run(
            [*command, str(paths["ca"]), *more, str(paths["leaf"])],
            capture_output=True,
            check=False,
        ).returncode
        == 0
    )


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_W14_W17_W47_cacerts_answers_200_to_everyone(stranger, version):
    response = replace(stranger, version=version).cacerts()

    assert response.status_code == 200
    assert response["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"


def test_W17_W47_no_certificate_however_bad_keeps_anybody_from_cacerts(est_client):
    stranger = make_ca("nobody's").certificate
    event = est_client.event("GET", est_client.url("cacerts"))
    event["requestContext"]["identity"]["clientCert"]["clientCertPem"] = "-----BEGIN junk"

    assert through_lambda(event).status_code == 200
    for operation, status in (("cacerts", 200), ("csrattrs", 204)):
        url = est_client.url(operation)
        assert est_client.using(stranger).request("GET", url).status_code == status
        assert through_socket("GET", url, certificate=stranger).status_code == status
        assert through_socket("GET", url).status_code == status


def test_W14_a_profile_leaves_the_smime_type_out(stranger, change_default_profile):
    change_default_profile(is_smime_type_sent=False)

    assert stranger.cacerts()["Content-Type"] == "application/pkcs7-mime"


def test_W15_the_body_is_degenerate_signed_data_as_openssl_reads_it(stranger, tmp_path):
    der = base64.b64decode(stranger.cacerts().body)
    (tmp_path / "cacerts.der").write_bytes(der)

    said = subprocess.run(
        ["openssl", "cms", "-cmsout", "-print", "-inform", "DER", "-in", "cacerts.der"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "contentType: pkcs7-signedData (1.2.840.113549.1.7.2)" in said
    assert "version: 1" in said
    assert "eContentType: pkcs7-data (1.2.840.113549.1.7.1)" in said
    assert "eContent: <ABSENT>" in said
    assert "digestAlgorithms:\n      <EMPTY>" in said
    assert "signerInfos:\n      <EMPTY>" in said


def test_W16_a_leaf_verifies_with_nothing_but_cacerts(est_client, tmp_path):
    leaf = est_client.simpleenroll(make_csr("sensor-1")).certificate

    (root,) = est_client.cacerts().certificates

    assert root.issuer == root.subject
    verify_as_client(leaf, [], root)
    assert openssl_verifies(tmp_path, leaf, root)


def test_W16_the_chain_of_an_intermediate_is_published_up_to_its_root(
    est_client, device_ca, change_default_profile, tmp_path
):
    root = make_ca("Our Root")
    issuing = make_ca("Our Issuing CA", issuer=root, path_length=0)
    ca = import_authority(
        CertificateAuthority.Purpose.DEVICE,
        "imported",
        [issuing.certificate, root.certificate],
        key=issuing.key,
        signer="keyfile",
        actor=TESTER,
    )
    change_default_profile(ca=ca)

    leaf = est_client.simpleenroll(make_csr("sensor-1")).certificate
    published = est_client.cacerts().certificates

    assert set(published) == {issuing.certificate, root.certificate}  # a SET: DER sorts it
    assert openssl_verifies(tmp_path, leaf, root.certificate, [issuing.certificate])


@pytest.mark.parametrize("anchor", ["old", "new"])
@pytest.mark.parametrize("generation", ["old", "new"])
def test_W16_during_a_rollover_either_generation_verifies_from_either_root(
    est_client, device_ca, tmp_path, generation, anchor
):
    old_root = device_ca.certificate
    leaves = {"old": est_client.simpleenroll(make_csr("sensor-1")).certificate}
    successor = make_successor(device_ca, actor=TESTER, reason="rollover")
    csr = make_csr("sensor-2", key=make_key("ec-p256", 2))
    leaves["new"] = est_client.simpleenroll(csr).certificate
    roots = {"old": old_root, "new": successor.certificate}

    published = est_client.cacerts().certificates

    assert len(published) == 4  # OldWithOld, OldWithNew, NewWithOld, NewWithNew
    self_signed = [one for one in published if is_self_signed(one)]
    assert set(self_signed) == set(roots.values())
    newest = max(self_signed, key=lambda one: one.not_valid_after_utc)
    assert newest.not_valid_after_utc >= roots["new"].not_valid_after_utc
    others = [one for one in published if one not in roots.values()]
    leaf, root = leaves[generation], roots[anchor]
    assert openssl_verifies(tmp_path, leaf, root, others)


def is_self_signed(certificate):
    try:
        certificate.verify_directly_issued_by(certificate)
    except Exception:  # noqa: BLE001  # whatever it says, it isn't
        return False
    return True


def test_W18_a_label_selects_the_ca(stranger, add_label, device_ca):
    other = create_authority(
        CertificateAuthority.Purpose.DEVICE,
        "other",
        common_name="Other CA",
        key_algorithm="ec-p384",
        validity=timedelta(days=100),
        signer="keyfile",
        actor=TESTER,
    )
    profile = add_label("other")
    in_write_transaction(lambda: change_profile(profile, {"ca": other}, actor=TESTER, reason="t"))

    assert stranger.cacerts().certificates == [device_ca.certificate]
    assert stranger.at("other").cacerts().certificates == [other.certificate]


def test_W18_a_label_whose_ca_is_gone_is_not_an_empty_200(stranger, device_ca):
    device_ca.status = device_ca.Status.REVOKED
    device_ca.save()

    response = stranger.cacerts()

    assert response.status_code in (404, 503)
    assert response.body.count(b"\n") == 1


@pytest.mark.django_db
def test_W18_W53_a_server_without_cas_answers_503_and_when_to_come_back(data_dir):
    CertificateProfile.objects.all().delete()

    response = through_socket("GET", f"{BASE}/cacerts")

    assert (response.status_code, response.reason) == (503, "ca-unavailable")
    assert int(response["Retry-After"]) > 0
