"""A thing name has one holder in the whole installation, under every identity rule (T42)."""

from importlib import import_module

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.apps import apps
from django.core.management import CommandError, call_command
from django.urls import reverse

from pki.checks import check_rebinding
from pki.encoding.certificates import fingerprint_of
from pki.issuance.rebind import rebind_names
from pki.models import AuditEvent, CertificateProfile, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record import snapshot
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_certificate, make_csr, make_key

NAME = "sensor-1"
RULES = {
    "first-use": {},
    "same-cn": {},
    "pattern": {"identity_pattern": "(?P<name>.*)"},
    "allow-list": {"allowed_names": [NAME, "sensor-2", "sensor-3"]},
    "any": {},
}
RULES_BY_NAME = ["same-cn", "pattern"]
RULES_BY_CERTIFICATE = ["first-use", "allow-list", "any"]
MIGRATION = import_module("pki.migrations.0006_holders_of_old_names")


def csr(key=300, name=NAME):
    return make_csr(name, key=make_key("ec-p256", key))


def pem(certificate):
    return certificate.public_bytes(Encoding.PEM).decode()


@pytest.fixture
def factories(trust):
    """Three client CAs."""
    made = [make_ca(f"factory {number}") for number in range(3)]
    for number, ca in enumerate(made):
        trust(ca, f"factory-{number}")
    return made


@pytest.fixture
def clients(est_client, factories):
    """A client of each CA whose CN is the thing name."""
    return [est_client.using(make_certificate(ca, NAME)) for ca in factories]


@pytest.fixture
def reissued(est_client, factories):
    """Another certificate of the first client, from its own CA."""
    return est_client.using(
        make_certificate(factories[0], NAME, public_key=make_key("ec-p256", 900).public_key())
    )


def rule_in_force(change, rule, **changes):
    change(identity_rule=rule, **RULES[rule], **changes)


@pytest.mark.parametrize("rule", RULES)
def test_T42_clients_of_three_cas_do_not_share_a_name(clients, change_default_profile, rule):
    rule_in_force(change_default_profile, rule)
    assert clients[0].simpleenroll(csr()).status_code == 200

    for client in clients[1:]:
        for operation in (client.simpleenroll, client.simplereenroll):
            response = operation(csr(301))
            assert (response.status_code, response.reason) == (403, "name-bound-to-another")
    assert clients[0].simplereenroll(csr(302)).status_code == 200
    assert clients[0].simpleenroll(csr(303)).status_code == 200


@pytest.mark.parametrize("rule", RULES)
def test_T42_the_binding_holds_at_every_label(clients, add_label, rule):
    add_label("other", identity_rule=rule, **RULES[rule])
    assert clients[0].simpleenroll(csr()).status_code == 200

    assert clients[1].at("other").simpleenroll(csr(301)).reason == "name-bound-to-another"
    assert clients[0].at("other").simpleenroll(csr(302)).status_code == 200


@pytest.mark.parametrize("rule", RULES_BY_NAME)
def test_T42_a_reissued_certificate_keeps_its_names(
    clients, reissued, change_default_profile, rule
):
    rule_in_force(change_default_profile, rule)
    assert clients[0].simpleenroll(csr()).status_code == 200

    assert reissued.simplereenroll(csr(301)).status_code == 200
    assert reissued.simpleenroll(csr(302)).status_code == 200
    assert clients[0].simpleenroll(csr(303)).status_code == 200


@pytest.mark.parametrize("rule", RULES_BY_CERTIFICATE)
def test_T42_elsewhere_the_certificate_holds_the_name(
    clients, reissued, change_default_profile, rule
):
    rule_in_force(change_default_profile, rule)
    assert clients[0].simpleenroll(csr()).status_code == 200

    assert reissued.simpleenroll(csr(301)).reason == "name-bound-to-another"


def test_T42_rebinding_moves_the_name_and_is_on_record(clients, change_default_profile):
    rule_in_force(change_default_profile, "any", can_rebind_names=True)
    first, second = clients[:2]
    assert first.simpleenroll(csr()).status_code == 200
    assert second.simplereenroll(csr(301)).reason == "name-bound-to-another"

    assert second.simpleenroll(csr(301)).status_code == 200

    assert first.simplereenroll(csr(302)).reason == "name-bound-to-another"
    assert second.simplereenroll(csr(303)).status_code == 200
    assert IssuedCertificate.objects.filter(name_owner=NAME).count() == 1
    event = AuditEvent.objects.get(action="rebind")
    assert event.target == f"thing:{NAME}"
    assert event.before["client"] == fingerprint_of(first.certificate)
    assert event.after["client"] == fingerprint_of(second.certificate)


def test_T42_the_migration_keeps_rebinding_under_any(clients, change_default_profile):
    rule_in_force(change_default_profile, "any")
    assert not CertificateProfile.objects.get(active_label="").can_rebind_names

    MIGRATION.keep_rebinding_under_any(apps, None)

    profiles = {row.identity_rule: row for row in CertificateProfile.objects.all()}
    assert profiles["any"].can_rebind_names
    assert not profiles["first-use"].can_rebind_names


def test_T42_check_says_where_names_can_be_taken_over(change_default_profile):
    assert check_rebinding(None, databases=["default"]) == []
    change_default_profile(can_rebind_names=True)

    (warning,) = check_rebinding(None, databases=["default"])

    assert warning.id == "pki.W001"
    assert "profile default" in warning.msg
    assert check_rebinding(None) == []


@pytest.mark.parametrize("has_one_ca", [True, False])
def test_T42_old_names_of_the_only_client_ca_go_to_reissued_certificates(
    est_client, make_client_certificate, change_default_profile, trust, has_one_ca
):
    rule_in_force(change_default_profile, "same-cn")
    old, new = (est_client.using(make_client_certificate(NAME)) for _ in range(2))
    assert old.simpleenroll(csr()).status_code == 200
    if not has_one_ca:
        trust(make_ca("factory"))
    IssuedCertificate.objects.update(
        holder_fingerprint="",
        holder_signed_sha256="",
        holder_name_sha256="",
        client_signed_sha256="",
    )

    for _ in range(2):
        MIGRATION.name_the_holders(apps, None)

    assert new.simpleenroll(csr(301)).status_code == (200 if has_one_ca else 403)
    assert old.simpleenroll(csr(302)).status_code == 200


@pytest.mark.parametrize("is_file", [True, False])
def test_T42_rebind_names_moves_all_names_of_a_certificate(
    clients, reissued, tmp_path, capsys, is_file
):
    old = clients[0]
    for number in (1, 2, 3):
        assert old.simpleenroll(csr(300 + number, f"sensor-{number}")).status_code == 200
    assert clients[1].simpleenroll(csr(310, "sensor-9")).status_code == 200
    path, target = tmp_path / "old.pem", tmp_path / "new.pem"
    path.write_text(pem(old.certificate))
    target.write_text(pem(reissued.certificate))
    arguments = {
        "old": str(path) if is_file else fingerprint_of(old.certificate),
        "new": str(target) if is_file else pem(reissued.certificate),
        "reason": "replaced",
    }

    call_command("rebind_names", dry_run=True, **arguments)
    assert "that move to the other client: 3" in capsys.readouterr().out
    assert old.simplereenroll(csr(304)).status_code == 200

    with pytest.raises(CommandError, match="Add --yes"):
        call_command("rebind_names", **arguments)
    assert old.simplereenroll(csr(320)).status_code == 200
    call_command("rebind_names", yes=True, **arguments)

    assert "thing names moved: 3" in capsys.readouterr().out
    assert reissued.simplereenroll(csr(305)).status_code == 200
    assert old.simplereenroll(csr(306)).reason == "name-bound-to-another"
    assert reissued.simpleenroll(csr(311, "sensor-9")).reason == "name-bound-to-another"
    event = AuditEvent.objects.get(action="rebind-all")
    assert event.target == f"client:{fingerprint_of(old.certificate)}"
    assert event.after == {"client": fingerprint_of(reissued.certificate), "names": 3}
    # and back, now that both are known by their fingerprints
    back = [fingerprint_of(one.certificate) for one in (reissued, clients[1])]
    assert rebind_names(*back, reason="again", actor=TESTER) == 3
    assert clients[1].simplereenroll(csr(307)).status_code == 200


def test_T42_rebind_names_takes_clients_that_are_let_in(est_client, clients):
    device = est_client.simpleenroll(csr(name="sensor-7")).certificate
    stranger = make_certificate(make_ca("stranger"), NAME)
    known = fingerprint_of(est_client.certificate)

    for new, words in (
        (pem(device), "is a device's"),
        (pem(stranger), "is not good for enrollment here"),
        ("ab" * 32, "holds no name here yet"),
        (known, "are the same certificate"),
    ):
        with pytest.raises(OperatorError, match=words):
            rebind_names(known, new, reason="r", actor=TESTER)
    with pytest.raises(OperatorError, match="needs a reason"):
        rebind_names(known, pem(clients[0].certificate), reason=" ", actor=TESTER)


@pytest.mark.django_db(transaction=True)
def test_T42_the_page_counts_first(admin_client, est_client, make_client_certificate):
    snapshot.forget()
    assert est_client.simpleenroll(csr()).status_code == 200
    new = est_client.using(make_client_certificate("other"))
    page = reverse("admin:pki_issuedcertificate_rebind")
    terms = {
        "old": fingerprint_of(est_client.certificate),
        "new": pem(new.certificate),
        "reason": "replaced",
    }

    counted = admin_client.post(page, {**terms, "is_dry_run": "on"}, follow=True)
    assert "1 thing name would move. Nothing was changed." in counted.text
    assert new.simplereenroll(csr(301)).reason == "name-bound-to-another"

    moved = admin_client.post(page, terms, follow=True)
    assert "1 thing name moved." in moved.text
    assert new.simplereenroll(csr(301)).status_code == 200
