"""CAs made, imported and succeeded; during a rollover every leaf verifies from every root."""

import datetime

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.verification import ExtensionPolicy, PolicyBuilder, Store
from django.utils import timezone

from pki.authorities.authority_rows import free_name
from pki.authorities.create import create_authority
from pki.authorities.import_ca import import_authority
from pki.authorities.succeed import make_successor
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.public_keys import public_key_sha256
from pki.models import AuditEvent, CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.find import find_authority
from pki.revocation.crl import make_crl
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_certificate, make_csr, make_key
from tests.support.openssl import openssl, verifies, write_pem

Purpose = CertificateAuthority.Purpose
Status = CertificateAuthority.Status
DAY = datetime.timedelta(days=1)


def create(name="device-ca", algorithm="ec-p256", purpose=Purpose.DEVICE):
    return create_authority(
        purpose,
        name,
        common_name=f"The {name}",
        key_algorithm=algorithm,
        validity=365 * DAY,
        signer="keyfile",
        actor=TESTER,
    )


def import_(*certificates, key=None, signer="keyfile", name="imported"):
    return import_authority(
        Purpose.DEVICE, name, list(certificates), key=key, signer=signer, actor=TESTER
    )


def succeed(ca):
    return make_successor(ca, actor=TESTER, reason="half of its time is over")


def is_self_signed(certificate):
    try:
        certificate.verify_directly_issued_by(certificate)
    except InvalidSignature:
        return False
    return True


def keys_in(data_dir):
    directory = data_dir / "keys"
    return sorted(path.name for path in directory.iterdir()) if directory.exists() else []


# Made here


@pytest.mark.parametrize("algorithm", KEY_ALGORITHMS)
def test_a_CA_is_made_with_every_key_algorithm(db, data_dir, tmp_path, algorithm):
    ca = create(algorithm=algorithm)

    assert (ca.key_algorithm, ca.status, ca.can_sign) == (algorithm, Status.ACTIVE, True)
    certificate = ca.certificate
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 1)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert usage.value.crl_sign
    assert not usage.value.digital_signature
    anchor = write_pem(tmp_path / "ca.pem", certificate)
    assert openssl("verify", "-x509_strict", "-CAfile", anchor, anchor).returncode == 0
    key = get_signer("keyfile").private_key(ca.key_reference)
    assert public_key_sha256(key.public_key()) == ca.key_sha256


def test_the_database_holds_no_private_key(device_ca):
    row = CertificateAuthority.objects.filter(pk=device_ca.pk).values().get()

    assert "PRIVATE" not in repr(row)
    assert row["key_reference"].endswith(".pem")


def test_what_was_made_is_on_the_trail(db, data_dir):
    ca = create()

    begun, event = AuditEvent.objects.order_by("at")
    assert (begun.action, begun.target) == ("begin-ca-key", "ca:device-ca")
    assert (event.action, event.target) == ("create-ca", "ca:device-ca")
    assert event.after["fingerprint"] == ca.fingerprint_sha256


# Imported


def test_a_CA_is_imported_with_its_chain_and_key(db, data_dir):
    root = make_ca("Root")
    theirs = make_ca("Their CA", issuer=root)

    ca = import_(theirs.certificate, root.certificate, key=theirs.key)

    assert ca.chain == [root.certificate]
    assert not ca.is_every_certificate_recorded
    stored = get_signer("keyfile").private_key(ca.key_reference)
    assert public_key_sha256(stored.public_key()) == ca.key_sha256


@pytest.mark.parametrize(
    ("built", "complaint"),
    [
        (
            lambda: (make_certificate(make_ca()),),
            "CN=sensor-1 is not a CA certificate (basicConstraints CA:TRUE is missing). Give the "
            "certificate of the CA, not of a server or device.",
        ),
        (
            lambda: (make_ca("Old", not_after=timezone.now() - DAY / 2).certificate,),
            f"CN=Old expired on {timezone.now() - DAY / 2:%Y-%m-%d}. Give its successor.",
        ),
        (
            lambda: (make_ca("Later", not_before=timezone.now() + 2 * DAY).certificate,),
            f"CN=Later begins on {timezone.now() + 2 * DAY:%Y-%m-%d}. Check this machine's "
            "clock, or import the CA then.",
        ),
        (
            lambda: (make_ca("Their CA").certificate, make_ca("Stranger").certificate),
            "CN=Their CA is not signed by CN=Stranger. Order the file from the CA up to its root.",
        ),
        (
            lambda: (
                make_ca("Root").certificate,
                make_ca("Their CA", issuer=make_ca("Root")).certificate,
            ),
            "CN=Root is not signed by CN=Their CA. Order the file from the CA up to its root.",
        ),
    ],
    ids=["leaf", "expired", "not-yet", "foreign-chain", "chain-upside-down"],
)
def test_what_is_no_CA_is_refused_in_a_sentence(db, data_dir, built, complaint):
    with pytest.raises(OperatorError) as caught:
        import_(*built(), key=make_key())

    assert str(caught.value) == complaint
    assert keys_in(data_dir) == []
    assert not CertificateAuthority.objects.exists()


def test_a_CA_that_may_not_sign_certificates_is_refused(db, data_dir):
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = make_certificate(
        make_ca(),
        "Odd CA",
        extensions=[
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (x509.KeyUsage(digital_signature=True, **usage), True),
        ],
    )

    with pytest.raises(OperatorError, match="CN=Odd CA may not sign certificates"):
        import_(certificate, signer="")


def test_another_CAs_key_is_refused_and_not_stored(db, data_dir):
    with pytest.raises(OperatorError, match=r"The private key is not that of CN=Their CA\. Give"):
        import_(make_ca("Their CA").certificate, key=make_ca("Other").key)

    assert keys_in(data_dir) == []
    assert not CertificateAuthority.objects.exists()


def test_a_signer_that_keeps_keys_needs_one(db, data_dir):
    with pytest.raises(OperatorError, match="The signer 'keyfile' needs the private key of CN=T"):
        import_(make_ca("Their CA").certificate, key=None)


def test_the_same_CA_isnt_imported_twice(db, data_dir):
    theirs = make_ca("Their CA")
    import_(theirs.certificate, key=theirs.key)

    with pytest.raises(OperatorError, match="on record already, as imported"):
        import_(theirs.certificate, key=theirs.key, name="again")

    assert len(keys_in(data_dir)) == 1


def test_a_key_left_by_a_crash_is_what_the_next_run_uses(db, data_dir):
    theirs = make_ca("Their CA")
    import_(theirs.certificate, key=theirs.key)
    CertificateAuthority.objects.all().delete()  # as if killed before the row was written

    assert import_(theirs.certificate, key=theirs.key).can_sign
    assert len(keys_in(data_dir)) == 1


def test_a_truststore_may_hold_a_CA_with_any_key(db, data_dir):
    key = ed25519.Ed25519PrivateKey.generate()
    now = timezone.now().replace(microsecond=0)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Ed CA")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None)
    )

    assert import_(certificate, signer="").key_algorithm == "other"


# Succeeded


def test_a_successor_issues_and_the_old_one_stays_trusted(device_ca, est_client):
    old_leaf = est_client.simpleenroll(make_csr("sensor-1")).certificate

    new_ca = succeed(device_ca)

    device_ca.refresh_from_db()
    assert (device_ca.status, new_ca.status) == (Status.RETIRING, Status.ACTIVE)
    assert new_ca.successor_of == device_ca
    assert new_ca.certificate.subject == device_ca.certificate.subject
    assert new_ca.key_sha256 != device_ca.key_sha256
    profile = CertificateProfile.objects.get(active_label="")
    assert (profile.ca, profile.version) == (new_ca, 2)
    renewed = est_client.using(old_leaf).simplereenroll(make_csr("sensor-1")).certificate
    renewed.verify_directly_issued_by(new_ca.certificate)


@pytest.fixture
def rollover(device_ca, est_client):
    """Both roots, a leaf of each generation, and what /cacerts publishes."""
    old_leaf = est_client.simpleenroll(make_csr("sensor-1")).certificate
    new_ca = succeed(device_ca)
    new_leaf = est_client.simpleenroll(make_csr("sensor-2", key=make_key(index=1))).certificate
    roots = [device_ca.certificate, new_ca.certificate]
    return roots, [old_leaf, new_leaf], est_client.cacerts().certificates


def test_W16_a_rollover_publishes_four_certificates(rollover):
    roots, _, published = rollover

    crossed = [one for one in published if not is_self_signed(one)]
    assert len(published) == 4
    assert set(published) - set(crossed) == set(roots)

    def keys(certificates):
        return {public_key_sha256(one.public_key()) for one in certificates}

    assert keys(crossed) == keys(roots)


@pytest.mark.parametrize("leaf", [0, 1], ids=["old leaf", "new leaf"])
@pytest.mark.parametrize("root", [0, 1], ids=["old root", "new root"])
def test_W16_either_leaf_verifies_from_either_root(rollover, tmp_path, root, leaf):
    roots, leaves, published = rollover
    # What is self-signed and isn't the anchor leads nowhere, but openssl may begin with it.
    crossed = [one for one in published if not is_self_signed(one)]

    assert verifies(tmp_path, leaves[leaf], anchor=roots[root], untrusted=crossed)
    # Neither leaf does so by itself from the other generation's root.
    assert verifies(tmp_path, leaves[leaf], anchor=roots[root]) == (root == leaf)


@pytest.mark.parametrize("leaf", [0, 1], ids=["old leaf", "new leaf"])
@pytest.mark.parametrize("root", [0, 1], ids=["old root", "new root"])
def test_W16_verifiers_that_count_cross_certificates_agree(rollover, root, leaf):
    roots, leaves, published = rollover
    verifier = (
        PolicyBuilder()
        .store(Store([roots[root]]))
        .extension_policies(
            ca_policy=ExtensionPolicy.webpki_defaults_ca(),
            ee_policy=ExtensionPolicy.permit_all(),  # devices have no SAN
        )
        .build_client_verifier()
    )

    assert verifier.verify(leaves[leaf], published).chain[-1] == roots[root]


def test_W16_a_third_generation_publishes_all_three(device_ca, est_client):
    third = succeed(succeed(device_ca))

    published = est_client.cacerts().certificates

    assert len(published) == 3 + 2 * 2
    assert third.certificate in published
    assert device_ca.certificate in published


def test_both_generations_authenticate(device_ca, est_client):
    old_leaf = est_client.simpleenroll(make_csr("sensor-1")).certificate
    succeed(device_ca)
    new_leaf = est_client.simpleenroll(make_csr("sensor-2", key=make_key(index=1))).certificate

    assert est_client.using(old_leaf).simplereenroll(make_csr("sensor-1")).certificate
    csr = make_csr("sensor-2", key=make_key(index=1))
    assert est_client.using(new_leaf).simplereenroll(csr).certificate


def test_a_successor_is_made_once(device_ca):
    stale = CertificateAuthority.objects.get(pk=device_ca.pk)
    succeed(device_ca)

    with pytest.raises(OperatorError, match=r"device-ca is retiring\. Only an active CA can"):
        succeed(device_ca)
    with pytest.raises(OperatorError, match="device-ca has a successor already"):
        succeed(stale)  # somebody was faster

    assert CertificateAuthority.objects.device().count() == 2


def test_a_succession_leaves_the_old_CAs_list_alone(device_ca):
    stale = CertificateAuthority.objects.get(pk=device_ca.pk)
    make_crl(device_ca)

    succeed(stale)

    device_ca.refresh_from_db()
    assert device_ca.crl_number == 1
    assert make_crl(device_ca)


def test_a_successor_of_a_CA_below_another_is_for_that_one_to_make(db, data_dir):
    root = make_ca("Root")
    theirs = make_ca("Their CA", issuer=root)
    ca = import_(theirs.certificate, root.certificate, key=theirs.key)

    with pytest.raises(OperatorError, match=r"imported is signed by CN=Root\. Have that CA sign"):
        succeed(ca)


def test_a_CA_whose_key_is_elsewhere_has_its_successor_made_there(db, data_dir):
    ca = import_(make_ca("Their CA").certificate, signer="")

    with pytest.raises(
        OperatorError, match=r"does not have the key of .* Have its PKI make a new CA"
    ):
        succeed(ca)


def test_a_successor_needs_a_reason(device_ca):
    with pytest.raises(OperatorError, match="needs a reason"):
        make_successor(device_ca, actor=TESTER, reason=" ")


def test_I10_nothing_outlives_its_CA(device_ca, est_client, change_default_profile):
    change_default_profile(validity_days=36500)

    certificate = est_client.simpleenroll(make_csr("sensor-1")).certificate

    assert certificate.not_valid_after_utc == device_ca.certificate.not_valid_after_utc
    assert IssuedCertificate.objects.for_name("sensor-1").get().not_after == device_ca.not_after


# Names


def test_names_count_on_from_what_is_there(db, data_dir):
    assert free_name("device-ca") == "device-ca"
    create("device-ca")
    create("device-ca-3")
    assert free_name("device-ca") == "device-ca-2"
    assert free_name("device-ca-3") == "device-ca-4"
    assert succeed(find_authority("device-ca")).name == "device-ca-2"
    assert succeed(find_authority("device-ca-2")).name == "device-ca-4"


def test_a_CA_that_isnt_there_is_answered_with_those_that_are(db, data_dir):
    with pytest.raises(OperatorError, match=r"no CA 'x'\. Known CAs: none yet"):
        find_authority("x")
    create("device-ca")
    with pytest.raises(OperatorError, match="Known CAs: device-ca"):
        find_authority("x")
