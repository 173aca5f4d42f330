"""The pages of a profile's settings: the preview of what they make, and what they refuse."""

import re

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from estserver.tools.profile_preview import preview_profile
from pki.admin.display import visible
from pki.aws import clients
from pki.models import AuditEvent, CertificateProfile, IssuedCertificate
from pki.record.profile_versions import changed
from tests.estserver.console.crawl import contents
from tests.estserver.console.tools.test_tool_pages import csr_pem
from tests.pki.admin.test_operations import profile_form
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def alice(installation, client):
    client.force_login(User.objects.create_superuser("alice"))
    return client


def default():
    return CertificateProfile.objects.select_related("ca").get(active_label="")


def url(slug="new-version", row=None):
    return reverse(f"admin:pki_certificateprofile_{slug}", args=[(row or default()).pk])


@pytest.fixture
def send(alice):
    """Send the form of the default profile as its page has it, with changes."""
    at = url()
    typed = profile_form(alice.get(at))
    return lambda **changes: alice.post(at, {**typed, **changes})


def words(page):
    """What the preview of a page says."""
    told = page.text.partition('id="preview-answer">')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>|[✓⊘!]", " ", told).split())


def errors(page):
    return {name: " ".join(said) for name, said in page.context["form"].errors.items()}


def parts(certificate):
    """What a preview and a certificate have in common: all but key, serial number and times."""
    left_out = (x509.SubjectKeyIdentifier,)
    extensions = [one for one in certificate.extensions if not isinstance(one.value, left_out)]
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return certificate.subject, certificate.issuer, extensions, lifetime


def test_the_preview_is_the_certificate_that_is_issued_afterwards(est_client, send):
    san = [x509.DNSName("pump-1"), x509.DNSName("other")]
    csr, pem = make_csr("pump-1", san=san), csr_pem("pump-1", san=san)
    changes = {"validity_days": 90, "san_rule": "any"}

    found = preview_profile(changed(default(), changes), csr=pem).answer.certificate
    send(reason="shorter lives", **changes)
    issued = est_client.simpleenroll(csr).certificate

    assert parts(found) == parts(issued)
    assert found.tbs_certificate_bytes != issued.tbs_certificate_bytes  # its serial is an example
    assert found.public_key() == issued.public_key()


def test_T90_a_preview_signs_and_writes_nothing_and_asks_no_aws(send, monkeypatch):
    def fail(*arguments, **more):
        raise AssertionError("AWS was asked")

    monkeypatch.setattr(clients, "_make", fail)
    monkeypatch.setattr("pki.signers.keyfile.KeyFileSigner.private_key", fail)
    before = contents()

    page = send(preview="yes", validity_days=90, iot_provisioning="register")

    assert contents() == before
    assert errors(page) == {}  # a preview needs no reason
    said = words(page)
    assert "Granted The client CN=sample-client sends the CSR." in said
    assert "subject CN=sample-device issuer CN=EST Device CA" in said
    assert "(89 days left)" in said
    assert "keyUsage (critical) digital signature" in said
    assert "subjectAltName sample-device" in said
    assert "Thing sample-device Attribute version v1 Policies" in said


WRONG = (
    ({"overlap_days": "1000"}, "overlap_days", "The overlap of 1000 days is longer"),
    ({"reenroll_window_days": "366"}, "reenroll_window_days", "would never be closed"),
    ({"label": "simpleenroll"}, "label", "is an EST operation"),
    ({"identity_rule": "pattern", "identity_pattern": "("}, "identity_pattern", "not a regular"),
    ({"identity_rule": "allow-list"}, "allowed_names", "Name at least one"),
    ({"validity_days": "0"}, "validity_days", "greater than or equal to 1"),
    ({"sample_csr": "-----BEGIN PRIVATE KEY-----"}, "sample_csr", "This is a private key."),
)


def test_what_is_wrong_is_said_at_its_field_and_what_was_typed_is_kept(est_client, send):
    for changes, field, sentence in WRONG:
        page = send(preview="yes", **changes)
        saved = send(reason="test", **changes)

        for answer in (page, saved):
            assert list(errors(answer)) == [field], changes
            assert sentence in errors(answer)[field]
        assert "Not usable" in words(page)
        typed = {name: page.context["form"][name].value() for name in changes}
        assert typed == changes
        assert "BEGIN PRIVATE KEY" not in page.text
    assert CertificateProfile.objects.count() == 1


def asked(page):
    """The client and the thing name of the sample, or what a person has to give."""
    found = re.search(r"The client CN=(\S+) sends .* subject CN=(\S+) issuer", words(page))
    return found.groups() if found else words(page)


def test_the_sample_is_what_the_identity_rule_wants(send, est_client):
    pattern = {"identity_rule": "pattern", "identity_pattern": "line-(?P<name>.+)"}
    listed = {"identity_rule": "allow-list", "allowed_names": "pump-1\npump-2"}

    def preview(**changes):
        return asked(send(preview="yes", **changes))

    assert preview(identity_rule="same-cn") == ("sample-device", "sample-device")
    assert preview(identity_rule="same-cn", sample_client="pump-7") == ("pump-7", "pump-7")
    assert preview(**listed) == ("sample-client", "pump-1")
    assert "finds no thing name in the common name" in preview(**pattern)
    assert preview(**pattern, sample_client="line-7") == ("line-7", "7")

    for index, name in enumerate(("pump-1", "sample-device", "pump-2")):
        assert est_client.simpleenroll(make_csr(name, key=make_key(index=index))).status_code == 200
        if name == "sample-device":  # of the list, one is free
            assert preview(**listed) == ("sample-client", "pump-2")
    assert preview() == ("sample-client", "sample-device-2")
    assert preview(**listed) == ("sample-client", "sample-device-2")
    test = {"identity_rule": "pattern", "identity_pattern": "(?P<name>test)-client"}
    assert preview(**test) == ("test-client", "test")  # the newest client that it fits


def test_the_sample_meets_the_settings(send):
    said = words(send(preview="yes", key_algorithms=["rsa-2048", "ec-p384"]))
    strict = {"san_rule": "none", "san_excess": "refuse", "is_serial_number_required": "on"}
    other = words(send(preview="yes", **strict))

    assert "Public key algorithm ec-p384" in said
    assert "subject serialNumber=SN-0001,CN=sample-device" in other
    assert "subjectAltName" not in other


def test_a_csr_that_would_be_refused_says_by_which_rule_and_what_to_do(send):
    csr = csr_pem("pump-1", key=make_key("rsa-2048"))

    said = words(send(preview="yes", key_algorithms=["ec-p256"], sample_csr=csr))
    garbage = words(send(preview="yes", sample_csr="<script>alert(1)</script>"))

    assert said.startswith("EST address https://est.example.com/.well-known/est Refused")
    assert "key: key-not-allowed" in said
    assert "parse: body-" in garbage


def test_a_new_label_shows_the_address_before_and_after(send, est_client):
    est_client.simpleenroll(make_csr("pump-1"))

    said = words(send(preview="yes", label="line-1"))

    base = "https://est.example.com/.well-known/est"
    assert f"Before: {base} After: {base}/line-1 Devices that use the old address are" in said
    assert "Refuses devices The address changes from /.well-known/est/ to" in said
    assert "up to 1 device of this profile." in said


def test_a_new_profile_has_a_preview_too(alice, device_ca):
    add = reverse("admin:pki_certificateprofile_add")
    filled = profile_form(alice.get(add), name="line", label="line", ca=str(device_ca.pk))

    shown = alice.post(add, {**filled, "preview": "yes"})
    taken = alice.post(add, {**filled, "name": "default", "preview": "yes"})

    assert "EST address https://est.example.com/.well-known/est/line Granted" in words(shown)
    assert "There is a profile" in errors(taken)["name"]
    assert CertificateProfile.objects.count() == 1


def test_T146_a_page_makes_the_change_when_its_boxes_are_ticked(alice, est_client, send):
    est_client.simpleenroll(make_csr("pump-1"))
    changes = {"label": "line-1", "can_reuse_key": "", "reason": "a new line"}

    page = send(**changes)
    filled = {**profile_form(page), "confirm": ["label"]}
    filled.pop("can_reuse_key", None)
    half = alice.post(url(), filled)
    done = alice.post(url(), {**filled, "confirm": ["label", "can_reuse_key"]}, follow=True)

    assert set(errors(page)) == {"label", "can_reuse_key"}
    assert "up to 1 device of this profile" in errors(page)["label"]
    assert page.text.index('name="confirm" value="label"') < page.text.index('name="validity_days"')
    assert set(errors(half)) == {"can_reuse_key"}
    assert re.search(r'name="confirm" value="label"[^>]* checked', half.text)
    assert CertificateProfile.objects.count() == 2
    assert "default v2 is in force." in done.text
    assert AuditEvent.objects.get(action="change-profile").after["label"] == "line-1"


def test_going_back_to_a_version_is_confirmed_as_well(alice, est_client, change_default_profile):
    first = default()
    change_default_profile(label="line-1")
    est_client.at("line-1").simpleenroll(make_csr("pump-1"))
    back = reverse("admin:pki_certificateprofile_roll-back", args=[first.pk])

    opened = alice.get(back).text
    page = alice.post(back, {"reason": "a mistake"})
    done = alice.post(back, {"reason": "a mistake", "confirm": "label"}, follow=True)

    assert "up to 1 device of this profile" in opened
    assert 'name="confirm" value="label"' in page.text
    assert "up to 1 device of this profile" in page.text
    assert "default v3 is in force" in done.text


def test_the_preview_takes_as_many_statements_for_many_devices(send, est_client):
    def statements():
        with CaptureQueriesContext(connection) as asked:
            page = send(preview="yes", label="x", identity_rule="same-cn")
        assert "Granted" in words(page)
        return len(asked)

    est_client.simpleenroll(make_csr("pump-0", key=make_key(index=0)))
    few = statements()
    for number in range(1, 5):
        est_client.simpleenroll(make_csr(f"pump-{number}", key=make_key(index=number)))

    assert statements() == few < 70


def test_hostile_names_are_shown_harmlessly(send, est_client):
    evil = "<script>alert(1)</script>\u202e"
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "pump-1"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, evil.rstrip("\u202e")),
        ]
    )
    est_client.simpleenroll(make_csr("pump-0"))
    IssuedCertificate.objects.update(client_subject=f"CN={evil}")

    pasted = send(preview="yes", sample_csr=csr_pem(subject=subject))
    pattern = {"identity_rule": "pattern", "identity_pattern": "(?P<name>.*alert.*)"}
    recorded = send(preview="yes", **pattern)
    named = send(preview="yes", sample_client=evil)

    for page in (pasted, recorded, named):
        assert page.status_code == 200
        assert "<script>alert" not in page.text
    assert "&lt;script" in pasted.text
    assert "\u202e" not in recorded.text
    assert visible("\u202e") in words(named)


def test_the_page_of_a_profile_has_its_address_and_commands(alice, change_default_profile):
    first = default()
    row = change_default_profile(label="line-1", identity_rule="allow-list", allowed_names=["p-1"])

    page, old = alice.get(url("change", row)).text, alice.get(url("change", first)).text

    base = "https://est.example.com/.well-known/est/line-1"
    assert f"<code>{base}</code>" in page
    for operation in ("cacerts", "simpleenroll", "simplereenroll"):
        assert f"{base}/{operation}" in page
    assert "-subj /CN=p-1 " in page
    assert "well-known/est" not in old
