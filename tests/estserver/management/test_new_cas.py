"""``cas create`` and ``cas import``, as an operator types them."""

import io
import sys

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pki.encoding.certificates import fingerprint_of
from pki.models import AuditEvent, CertificateAuthority
from tests.support.builders import make_ca, make_key
from tests.support.commands import refused, rows, run
from tests.support.openssl import write_pem

pytestmark = pytest.mark.django_db(transaction=True)

CREATE = ("cas", "create", "factory-2", "--role", "device", "--common-name", "Factory 2")
WHY = ("--reason", "a second factory")


@pytest.fixture
def theirs(tmp_path):
    """A CA that was made elsewhere, the file of its certificate and that of its encrypted key."""
    ca = make_ca("Their CA")
    key = tmp_path / "theirs.key"
    encryption = BestAvailableEncryption(b"their word")
    key.write_bytes(ca.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return ca, write_pem(tmp_path / "theirs.pem", ca.certificate), key


def test_a_ca_is_created_and_the_next_step_is_printed(installation):
    assert "would be made with a key (ec-p256)" in run(*CREATE, *WHY, "--dry-run")
    assert not CertificateAuthority.objects.filter(name="factory-2").exists()

    printed = run(*CREATE, *WHY, "--years", 3, "--key-algorithm", "ec-p384")

    ca = CertificateAuthority.objects.get(name="factory-2")
    assert (ca.key_algorithm, (ca.not_after - ca.not_before).days) == ("ec-p384", 3 * 365)
    assert printed == (
        f"factory-2 is made, and valid until {ca.not_after:%Y-%m-%d}\n"
        "next: No profile issues from factory-2. Add one, or change one.\n"
        "   manage.py profiles add NAME ca=factory-2 label=LABEL\n"
    )
    assert AuditEvent.objects.get(action="create-ca", target="ca:factory-2").reason == WHY[1]


def test_what_the_page_refuses_the_command_refuses(installation):
    sentence, code = refused(*CREATE)
    assert sentence.endswith("the following arguments are required: --reason")
    assert code == 2
    for dry in ((), ("--dry-run",)):
        for words, complaint in (
            (("--common-name", "EST Device CA"), "make a successor of device-ca"),
            (("--years", "101"), "Choose 1 to 100 years"),
            (("--signer", "nobody"), "The signer 'nobody' is not configured"),
        ):
            sentence, code = refused(*CREATE, *WHY, *words, *dry)
            assert complaint in sentence
            assert code == 1
    assert refused(*CREATE, *WHY, "--key-algorithm", "ec-p521")[1] == 2
    assert not AuditEvent.objects.filter(target="ca:factory-2").exists()


def test_a_client_ca_is_imported_once_the_person_has_seen_what_it_is(theirs, installation):
    ca, certificate, _ = theirs
    asked = ("cas", "import", "theirs", certificate, "--role", "client", *WHY)
    assert "no terminal to confirm this at" in refused(*asked)[0]

    printed = rows(*asked, "--yes")

    assert printed[0]["sha256"] == fingerprint_of(ca.certificate)
    assert CertificateAuthority.objects.get(name="theirs").signer == ""
    assert printed[-1]["command"].startswith("manage.py profile_set default client_cas=client-ca,")
    assert "There is a CA theirs already." in refused(*asked, "--yes")[0]


def test_an_encrypted_key_is_imported_with_its_passphrase_from_standard_input(
    theirs, installation, monkeypatch
):
    _, certificate, key = theirs
    asked = ("cas", "import", "theirs", certificate, "--role", "device", "--key", key, *WHY)
    assert "is encrypted" in refused(*asked, "--yes")[0]
    monkeypatch.setattr(sys, "stdin", io.StringIO("wrong\n"))
    assert "cannot be decrypted" in refused(*asked, "--yes", "--passphrase")[0]
    monkeypatch.setattr(sys, "stdin", io.StringIO("their word\n"))

    run(*asked, "--yes", "--passphrase")

    assert CertificateAuthority.objects.get(name="theirs").signer == "keyfile"


def test_a_key_of_another_ca_is_refused_before_it_is_stored(theirs, installation, tmp_path):
    _, certificate, _ = theirs
    other = tmp_path / "other.key"
    other.write_bytes(
        make_key("ec-p384").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    before = {*(installation / "keys").iterdir()}
    asked = ("cas", "import", "theirs", certificate, "--role", "device", *WHY, "--yes")

    assert "is not that of CN=Their CA" in refused(*asked, "--key", other)[0]
    assert "A device CA has to sign." in refused(*asked)[0]
    assert "needs the private key of CN=Their CA" in refused(*asked, "--signer", "keyfile")[0]
    assert "no key that a passphrase could open" in refused(*asked, "--passphrase")[0]
    assert {*(installation / "keys").iterdir()} == before
