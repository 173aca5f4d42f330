"""The pages on which a CA officer creates or imports a CA."""

import json
import logging
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from django.contrib.auth.models import Group, User
from django.contrib.sessions.models import Session
from django.core import serializers
from django.test import Client
from django.urls import reverse

from estserver.models import OfficerRequest
from estserver.people import again
from estserver.people.roles import install_roles
from pki.encoding.certificates import fingerprint_of, pem_of
from pki.models import AuditEvent, CertificateAuthority, CertificateProfile
from pki.record.profile_versions import add_profile
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_certificate, make_csr

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long password"
CREATE = {
    "name": "factory-2",
    "purpose": "device",
    "common_name": "Factory 2",
    "key_algorithm": "ec-p256",
    "validity_years": "5",
    "signer": "keyfile",
    "reason": "a second factory",
}


def url(slug):
    return reverse(f"admin:pki_certificateauthority_{slug}")


def signed_in(name, role="CA officer"):
    person = User.objects.create_user(name, password=PASSWORD, is_staff=True)
    person.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def officer(installation):
    """A browser in which a CA officer is signed in."""
    install_roles()
    return signed_in("alice")


def key_pem(key, passphrase=""):
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


def import_form(theirs, *chain, **changes):
    return {
        "name": "theirs",
        "purpose": "client",
        "certificates": pem_of(theirs.certificate, *(one.certificate for one in chain)),
        "sha256": fingerprint_of(theirs.certificate),
        "custody": "trusted:",
        "private_key": "",
        "passphrase": "",
        "reason": "clients of the second factory",
    } | changes


def errors(response):
    return {name: " ".join(found) for name, found in response.context["form"].errors.items()}


def test_a_ca_is_created_and_its_page_says_what_to_do_next(officer):
    asked = officer.get(url("create")).text
    assert "The signer makes a key" in asked
    assert "keyfile: an encrypted file on this server" in asked

    shown = officer.post(url("create"), CREATE, follow=True).text

    ca = CertificateAuthority.objects.get(name="factory-2")
    assert (ca.purpose, ca.subject, ca.signer) == ("device", "CN=Factory 2", "keyfile")
    assert (ca.not_after - ca.not_before).days == 5 * 365
    assert "factory-2 is made" in shown
    assert "No profile issues from factory-2." in shown
    assert "manage.py profiles add NAME ca=factory-2" in shown
    assert "an encrypted file on this server" in shown
    event = AuditEvent.objects.get(action="create-ca", target="ca:factory-2")
    assert (event.actor, event.reason) == ("admin:alice", "a second factory")


def test_each_refusal_stands_at_its_field_and_what_was_typed_is_kept(officer):
    wrong = {
        "name": "device-ca",
        "common_name": "EST Device CA",
        "validity_years": "101",
        "signer": "secretsmanager",
        "key_algorithm": "ec-p521",
    }
    answer = officer.post(url("create"), {**CREATE, **wrong})

    assert {*errors(answer)} == {"name", "common_name", "validity_years", "key_algorithm"}
    assert "There is a CA device-ca already." in errors(answer)["name"]
    assert "make a successor of device-ca" in errors(answer)["common_name"]
    assert 'value="EST Device CA"' in answer.text
    assert not AuditEvent.objects.filter(action="begin-ca-key", actor="admin:alice").exists()


def test_T65_a_new_ca_takes_the_password_again_and_the_right(officer):
    session = officer.session
    session[again._GIVEN_AT] = 0
    session.save()
    for slug in ("create", "import"):
        assert officer.get(url(slug)).status_code == 403
        assert "Give your password again" in officer.post(url(slug), CREATE).text
        assert signed_in(f"olga-{slug}", "Operator").get(url(slug)).status_code == 403
    assert not CertificateAuthority.objects.filter(name="factory-2").exists()


def test_a_client_ca_is_imported_alone_with_its_chain(officer):
    root = make_ca("Their Root")
    theirs = make_ca("Their CA", issuer=root)

    shown = officer.post(url("import"), import_form(theirs, root), follow=True).text

    ca = CertificateAuthority.objects.get(name="theirs")
    assert (ca.signer, ca.key_reference) == ("", "")
    assert ca.chain == [root.certificate]
    assert "nothing: trusted only" in shown
    assert "No profile accepts the clients of theirs." in shown
    assert "client_cas=client-ca,theirs" in shown


def test_a_device_ca_is_imported_with_its_encrypted_key_and_signs(officer, est_client):
    theirs = make_ca("Their CA")
    form = import_form(
        theirs,
        purpose="device",
        custody="store:keyfile",
        private_key=key_pem(theirs.key, "their word"),
        passphrase="their word",
    )

    officer.post(url("import"), form)

    ca = CertificateAuthority.objects.get(name="theirs")
    assert ca.signer == "keyfile"
    assert not ca.is_every_certificate_recorded
    profile = CertificateProfile(name="theirs", label="theirs", ca=ca, client_cas=["client-ca"])
    in_write_transaction(lambda: add_profile(profile, actor=TESTER))
    enrolled = replace(est_client, label="theirs").simpleenroll(make_csr("sensor-1"))
    issued = enrolled.certificate
    issued.verify_directly_issued_by(theirs.certificate)


def test_what_is_no_usable_ca_is_refused_at_its_field(officer):
    theirs, other = make_ca("Their CA"), make_ca("Other CA")
    leaf = make_certificate(theirs)
    stored = {"purpose": "device", "custody": "store:keyfile"}
    encrypted = key_pem(theirs.key, "their word")
    cases = [
        ({"certificates": "nothing"}, "certificates", "There is no certificate."),
        ({"certificates": pem_of(leaf)}, "certificates", "is not a CA certificate"),
        ({"certificates": pem_of(theirs.certificate, other.certificate)}, "certificates",
         "is not signed by CN=Other CA"),
        ({"certificates": CertificateAuthority.objects.client().get().pem}, "certificates",
         "is on record already, as client-ca"),
        ({"sha256": "00" * 32}, "sha256", "which is not what was typed"),
        ({"custody": ""}, "custody", "required"),
        ({"custody": "store:kms"}, "custody", "not one of the available choices"),
        ({"purpose": "device"}, "custody", "A device CA has to sign."),
        ({**stored}, "private_key", "There is no private key. Paste it"),
        ({**stored, "private_key": key_pem(other.key)}, "private_key",
         "is not that of CN=Their CA"),
        ({**stored, "private_key": "nothing"}, "private_key", "that can be read"),
        ({**stored, "private_key": encrypted}, "passphrase", "is encrypted"),
        ({**stored, "private_key": encrypted, "passphrase": "wrong"}, "passphrase",
         "cannot be decrypted"),
        ({"private_key": key_pem(theirs.key)}, "custody", "nothing would store it"),
        ({"purpose": "device", "custody": "has:keyfile"}, "custody", "needs the private key"),
    ]  # fmt: skip
    for changes, field, complaint in cases:
        answer = officer.post(url("import"), import_form(theirs, **changes))

        assert complaint in errors(answer).get(field, ""), (changes, errors(answer))
        assert "PRIVATE KEY" not in answer.text.replace("BEGIN PRIVATE KEY-----.", "")
    assert not CertificateAuthority.objects.filter(name="theirs").exists()
    assert not AuditEvent.objects.filter(target="ca:theirs").exists()


def test_T64_a_key_in_a_wrong_field_is_refused_unread_and_not_shown_again(officer):
    theirs = make_ca("Their CA")
    key = key_pem(theirs.key)
    for slug, form, fields in (
        ("create", CREATE, ("name", "common_name", "reason", "signer")),
        ("import", import_form(theirs), ("name", "certificates", "sha256", "passphrase", "reason")),
    ):
        for field in fields:
            answer = officer.post(url(slug), {**form, field: key})

            assert "That is a private key, and this is not its field." in errors(answer)[field]
            assert key.splitlines()[1] not in answer.text
    assert not CertificateAuthority.objects.filter(name__in=("theirs", "factory-2")).exists()


def secrets_in(text, *wanted):
    return [one for one in wanted if one in text]


def test_T64_an_imported_key_is_in_no_session_log_row_or_page(officer, caplog, installation):
    theirs = make_ca("Their CA")
    key, passphrase = key_pem(theirs.key, "their secret word"), "their secret word"
    wanted = (*key.splitlines()[1:3], passphrase)
    stored = {"purpose": "device", "custody": "store:keyfile", "passphrase": passphrase}
    form = import_form(theirs, **stored, private_key=key)
    session = officer.session
    session[again._GIVEN_AT] = 0
    session.save()
    caplog.set_level(logging.DEBUG)

    pages = [officer.post(url("import"), form).text]  # asks for the password
    kept = {
        name: value for name, value in form.items() if name not in ("private_key", "passphrase")
    }
    pages.append(officer.post(url("import"), {**kept, again.PASSWORD: PASSWORD}).text)
    assert "keys are not kept meanwhile" in pages[-1]
    pages.append(officer.post(url("import"), {**form, "sha256": "00"}).text)
    pages.append(officer.post(url("import"), form, follow=True).text)

    assert CertificateAuthority.objects.get(name="theirs").signer == "keyfile"
    assert "theirs is on record" in pages[-1]
    rows = [row for model in (AuditEvent, CertificateAuthority, Session) for row in
            model.objects.all()]  # fmt: skip
    sessions = [json.dumps(row.get_decoded()) for row in Session.objects.all()]
    texts = [*pages, *sessions, serializers.serialize("json", rows), caplog.text]
    texts += [path.read_text() for path in (installation / "keys").iterdir()]
    assert [secrets_in(text, *wanted) for text in texts] == [[]] * len(texts)


def test_T80_a_new_ca_waits_for_a_second_person_and_a_key_does_not(officer, settings):
    settings.EST_ADMIN_TWO_PERSONS = True
    theirs = make_ca("Their CA")
    bob = signed_in("bob")
    assert "private_key" not in officer.get(url("import")).context["form"].fields
    assert "manage.py cas import takes it" in officer.get(url("import")).text
    with_key = {"custody": "store:keyfile", "purpose": "device"}
    refused = officer.post(
        url("import"), import_form(theirs, **with_key, private_key=key_pem(theirs.key))
    )
    assert {*errors(refused)} == {"custody"}

    for slug, form in (("create", CREATE), ("import", import_form(theirs))):
        asked = officer.post(url(slug), form, follow=True)
        assert "Nothing was done yet." in asked.text
        again_asked = officer.post(url(slug), form)
        assert "has asked for it already" in errors(again_asked)["__all__"]
    assert not CertificateAuthority.objects.filter(name__in=("theirs", "factory-2")).exists()
    for row in OfficerRequest.objects.all():
        assert not secrets_in(json.dumps(row.parameters), "PRIVATE", "passphrase")
        page = f"/admin/requests/{row.pk}/"
        assert row.subject in bob.get(page).text
        assert officer.post(page, {"decision": "confirm"}).status_code == 200
        assert bob.post(page, {"decision": "confirm"}).status_code == 302

    made = CertificateAuthority.objects.filter(name__in=("theirs", "factory-2"))
    assert {ca.name: ca.signer for ca in made} == {"theirs": "", "factory-2": "keyfile"}
    actors = AuditEvent.objects.filter(action__in=("create-ca", "import-ca"))
    assert {"admin:bob for admin:alice"} <= {*actors.values_list("actor", flat=True)}
