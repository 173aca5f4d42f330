"""CAs that a person creates or imports: what is refused, and what a run that is cut off leaves."""

import datetime
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pki.authorities import create, import_ca, succeed
from pki.authorities.create import create_authority
from pki.authorities.custody import signers_for_given_keys, signers_for_made_keys
from pki.authorities.import_ca import import_authority
from pki.authorities.new_authority import (
    check_makes_keys,
    check_name,
    check_signer_of_import,
    check_subject,
)
from pki.authorities.new_keys import BEGIN_KEY
from pki.authorities.pem_files import parse_private_key
from pki.models import AuditEvent, CertificateAuthority
from pki.operators.errors import OperatorError
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_key

pytestmark = pytest.mark.django_db(transaction=True)

Purpose = CertificateAuthority.Purpose
YEARS = datetime.timedelta(days=3650)


class Killed(BaseException):
    """What kill -9 leaves undone. Nothing catches it."""


def create_ca(name="factory-2", **changes):
    given = {
        "common_name": f"CA {name}",
        "key_algorithm": "ec-p256",
        "validity": YEARS,
        "signer": "keyfile",
        "actor": TESTER,
    }
    return create_authority(Purpose.DEVICE, name, **(given | changes))


def import_one(theirs, name="theirs", **changes):
    given = {"key": theirs.key, "signer": "keyfile", "actor": TESTER}
    return import_authority(Purpose.DEVICE, name, [theirs.certificate], **(given | changes))


def key_files(data_dir):
    return {path.name: path.read_bytes() for path in (data_dir / "keys").glob("*")}


def kill_at_the_record(monkeypatch, module):
    def killed(*args, **kwargs):
        raise Killed

    monkeypatch.setattr(module, "save_authority", killed)


def actions(target):
    return list(
        AuditEvent.objects.filter(target=target).order_by("at").values_list("action", flat=True)
    )


def test_T140_a_key_is_on_the_trail_before_there_is_one(installation, monkeypatch):
    seen = []
    signer = get_signer("keyfile")
    original = signer.store

    def store(name, key):
        seen.append(AuditEvent.objects.get(action=BEGIN_KEY, target="ca:factory-2").after)
        return original(name, key)

    monkeypatch.setattr(signer, "store", store)
    ca = create_ca(reason="second factory")

    assert seen == [{"signer": "keyfile", "key": ca.key_reference.removesuffix(".pem")}]
    assert actions("ca:factory-2") == [BEGIN_KEY, "create-ca"]
    assert AuditEvent.objects.get(action="create-ca", target="ca:factory-2").reason == (
        "second factory"
    )


def test_T140_a_creation_that_is_cut_off_is_finished_with_the_same_key(installation, monkeypatch):
    before = key_files(installation)
    with monkeypatch.context() as patched:
        kill_at_the_record(patched, create)
        with pytest.raises(Killed):
            create_ca()
    left = key_files(installation).keys() - before.keys()
    assert len(left) == 1

    ca = create_ca()

    assert {ca.key_reference} == left
    assert key_files(installation).keys() - before.keys() == left
    assert actions("ca:factory-2") == [BEGIN_KEY, "create-ca"]


def test_T140_a_key_that_was_left_of_another_kind_is_not_used(installation, monkeypatch):
    with monkeypatch.context() as patched:
        kill_at_the_record(patched, create)
        with pytest.raises(Killed):
            create_ca()

    assert create_ca(key_algorithm="ec-p384").key_algorithm == "ec-p384"


def test_T140_an_import_and_a_succession_are_finished_likewise(
    installation, device_ca, monkeypatch
):
    theirs = make_ca("Theirs")
    before = key_files(installation)
    with monkeypatch.context() as patched:
        kill_at_the_record(patched, import_ca)
        kill_at_the_record(patched, succeed)
        with pytest.raises(Killed):
            import_one(theirs)
        with pytest.raises(Killed):
            succeed.make_successor(device_ca, actor=TESTER, reason="yearly")
    left = key_files(installation).keys() - before.keys()

    rows = [
        import_one(theirs),
        succeed.make_successor(device_ca, actor=TESTER, reason="yearly"),
    ]

    assert {row.key_reference for row in rows} == left
    assert key_files(installation).keys() - before.keys() == left


def test_T140_a_key_is_removed_again_when_its_ca_is_refused(installation, monkeypatch):
    before = key_files(installation)

    def refused(*args, **kwargs):
        raise OperatorError("It leads to a CA that is distrusted.")

    monkeypatch.setattr(create, "save_authority", refused)
    monkeypatch.setattr(import_ca, "save_authority", refused)
    with pytest.raises(OperatorError, match="distrusted"):
        create_ca()
    with pytest.raises(OperatorError, match="distrusted"):
        import_one(make_ca("Theirs"))

    assert key_files(installation) == before


def test_of_two_cas_of_one_name_the_second_is_refused_and_leaves_no_key(installation, monkeypatch):
    create_ca()
    before = key_files(installation)
    monkeypatch.setattr(create, "check_name", lambda name: None)  # as if both came at once

    with pytest.raises(OperatorError, match="factory-2 was put on record meanwhile"):
        create_ca(common_name="Another")

    assert key_files(installation) == before


def test_a_name_that_no_ca_can_have_is_refused(installation):
    for name in ("", "a b", "../keys", "-x", "\u202eca", "x" * 61, "ca\n"):
        with pytest.raises(OperatorError, match="cannot be the name of a CA") as caught:
            check_name(name)
        assert str(caught.value).isascii()
    for make in (
        check_name,
        lambda name: create_ca(name, common_name="Other"),
        lambda name: import_one(make_ca("Theirs"), name),
    ):
        with pytest.raises(OperatorError, match="There is a CA device-ca already"):
            make("device-ca")


def test_only_a_successor_has_the_subject_of_a_trusted_ca(installation, device_ca):
    with pytest.raises(OperatorError, match="device-ca has the subject CN=est device CA already"):
        check_subject(Purpose.DEVICE, "est device CA")
    check_subject(Purpose.CLIENT, "EST Device CA")
    CertificateAuthority.objects.filter(pk=device_ca.pk).update(status="retired")
    check_subject(Purpose.DEVICE, "EST Device CA")


def test_what_cannot_be_made_is_refused_before_there_is_a_key(installation):
    before = key_files(installation)

    for changes, complaint in (
        ({"common_name": "\u202eAC"}, "cannot be used"),
        ({"common_name": "x" * 65}, "cannot be used"),
        ({"validity": datetime.timedelta(0)}, "cannot be valid for 0 days"),
        ({"validity": datetime.timedelta(days=365 * 101)}, "Choose 1 to 100 years"),
        ({"signer": "nobody"}, "The signer 'nobody' is not configured"),
    ):
        with pytest.raises(OperatorError, match=complaint):
            create_ca(**changes)

    assert key_files(installation) == before
    assert actions("ca:factory-2") == []


def test_a_device_ca_is_never_trusted_only(installation):
    with pytest.raises(OperatorError, match="A device CA has to sign"):
        check_signer_of_import(Purpose.DEVICE, "")
    check_signer_of_import(Purpose.CLIENT, "")


def test_key_files_are_not_offered_where_no_disk_lasts(installation, settings):
    assert signers_for_made_keys().labels["keyfile"] == "keyfile: an encrypted file on this server"
    settings.PKI = replace(
        settings.PKI,
        has_lasting_disk=False,
        signers={**settings.PKI.signers, "kms": {"BACKEND": "pki.signers.kms.KMSSigner"}},
    )

    assert {*signers_for_made_keys().labels} == {"kms", "secretsmanager"}
    assert {*signers_for_given_keys().labels} == {"secretsmanager"}
    assert "a Lambda function has none that lasts" in signers_for_made_keys().refusals[0]
    with pytest.raises(OperatorError, match="a Lambda function has none that lasts"):
        create_ca()
    with pytest.raises(OperatorError, match="a Lambda function has none that lasts"):
        check_makes_keys("keyfile", Purpose.DEVICE, "factory-2")


# Keys in PEM


def pem(key, passphrase=""):
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def test_an_encrypted_key_is_read_with_its_passphrase_only():
    key = make_key()

    read = parse_private_key(pem(key, "a word"), passphrase="a word", where="It")

    assert read.public_key() == key.public_key()
    for passphrase, complaint in (
        ("", "It is encrypted. Decrypt it for the import"),
        ("another", "It cannot be decrypted with that passphrase"),
    ):
        with pytest.raises(OperatorError, match=complaint) as caught:
            parse_private_key(pem(key, "a word"), passphrase=passphrase, where="It")
        assert caught.value.__context__ is None  # the library's errors hold what they refuse
    with pytest.raises(OperatorError, match="It is not encrypted"):
        parse_private_key(pem(key), passphrase="a word", where="It")
    with pytest.raises(OperatorError, match="It holds no private key that can be read"):
        parse_private_key(b"nothing", where="It")
