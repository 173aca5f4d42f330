"""The doctor says of each thing that is wrong what to do, and where it is explained."""

import datetime
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from estserver.deploy import deployment
from estserver.local_server.server_certificate import ensure_server_certificate
from estserver.models import Message, PendingHook, SecondFactor
from estserver.operations.gauges import CA_DAYS_LEFT, OUTBOX_SECONDS
from estserver.operations.report_rows import Row
from estserver.tools.doctor import examination, of_aws, of_process
from estserver.tools.doctor.checks import Check
from estserver.tools.doctor.examination import examine, summary
from estserver.tools.doctor.registry import CHECKS
from estserver.webhooks.subscriptions import add_webhook, end_webhook
from iotprov.models import CARegistration, Provisioning
from pki.models import CertificateAuthority, IssuedCertificate, Job
from pki.operators.errors import RemoteFailure
from pki.record import audit_trail
from pki.record.transactions import in_write_transaction
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.estserver.tools.test_commands import run
from tests.support.builders import make_csr

ROOT = Path(__file__).parents[3]
DAY = datetime.timedelta(days=1)


def rows(name):
    (check,) = [check for check in CHECKS if check.name == name]
    return list(examine([check]))


def levels(name):
    return {one.level for one in rows(name)}


def bad(name):
    """The lines of a check that are not OK. Each of them says what to do."""
    found = [one for one in rows(name) if one.level != "OK"]
    assert all(one.advice for one in found), found
    return found


@pytest.fixture(autouse=True)
def _no_summary_is_kept():
    examination.forget()
    yield
    examination.forget()


def test_of_a_new_installation_nothing_fails(installation):
    found = list(examine())

    assert {one.check for one in found} == {check.name for check in CHECKS} - {"deployment"}
    assert [one for one in found if one.level == "FAIL"] == []


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.name)
def test_each_check_leads_to_a_heading_that_exists(check):
    page, _, anchor = check.docs.partition("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / page).read_text(), re.MULTILINE)
    # As GitHub makes anchors: lower case, without punctuation, with - for spaces.
    anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}

    assert anchor in anchors


def test_the_docs_name_every_check():
    text = (ROOT / "docs" / "operating.md").read_text()
    section = text.partition("## Doctor\n")[2].partition("\n## ")[0]

    assert set(re.findall(r"`([a-z ]+)`", section)) >= {check.name for check in CHECKS}


def test_T90_the_doctor_changes_nothing(est_client, contents):
    est_client.simpleenroll(make_csr())
    before = contents()

    list(examine())
    summary()

    assert contents() == before


def test_settings_that_a_check_refuses_fail(installation, settings):
    settings.X_FRAME_OPTIONS = "SAMEORIGIN"

    (found,) = bad("settings")

    assert found.level == "FAIL"
    assert "estserver.E012" in found.finding


def test_a_database_that_does_not_answer_is_one_line_and_others_are_left_out(
    installation, monkeypatch
):
    def fail():
        raise DatabaseError("no route to host")

    checks = [replace(check, look=fail) if check.name == "database" else check for check in CHECKS]
    found = list(examine(checks, with_others=False))

    assert [one.check for one in found if one.level == "FAIL"] == ["database"]
    left_out = {one.check for one in found if "does not answer" in one.finding}
    assert left_out == {
        check.name for check in CHECKS if check.needs_database and not check.asks_others
    } - {"database"}


def test_a_schema_that_is_older_than_the_code_fails(installation):
    newest = MigrationRecorder.Migration.objects.filter(app="pki").order_by("-name").first()
    newest.delete()

    (found,) = bad("migrations")

    assert found.level == "FAIL"
    assert f"pki.{newest.name}" in found.finding


@pytest.mark.parametrize(("seconds", "level"), [(0, "OK"), (60, "WARN"), (600, "FAIL")])
def test_a_clock_that_was_set_back_shows_in_the_trail(seconds, level, installation, monkeypatch):
    in_write_transaction(lambda: audit_trail.record("test", actor=TESTER, target="clock"))
    now = timezone.now()
    monkeypatch.setattr(
        of_process.timezone, "now", lambda: now - datetime.timedelta(seconds=seconds)
    )

    assert levels("clock") == {level}


def test_a_clock_that_differs_from_the_databases_fails(installation, monkeypatch):
    monkeypatch.setattr(of_process, "_ahead_of_database", lambda: datetime.timedelta(minutes=9))

    (found,) = bad("clock")

    assert (found.level, "540 s off" in found.finding) == ("FAIL", True)


@pytest.mark.parametrize(("days", "level"), [(397, "OK"), (20, "WARN"), (-1, "FAIL")])
def test_the_certificate_of_a_local_server_ends(days, level, data_dir, db):
    made_at = timezone.now() - datetime.timedelta(days=397 - days)
    ensure_server_certificate(data_dir, now=made_at)

    assert levels("server certificate") == {level}


@pytest.mark.parametrize(
    ("days", "level"), [(CA_DAYS_LEFT + 1, "OK"), (CA_DAYS_LEFT - 1, "WARN"), (-1, "FAIL")]
)
def test_a_ca_that_ends_soon_is_to_be_rolled(days, level, device_ca):
    end = timezone.now() + days * DAY + DAY / 2
    CertificateAuthority.objects.filter(pk=device_ca.pk).update(not_after=end)

    (found,) = [one for one in rows("cas") if device_ca.name in one.name]

    assert found.level == level
    assert level == "OK" or "ca_successor" in found.advice


def test_without_a_device_ca_bootstrap_is_named(db):
    (found,) = bad("cas")

    assert "bootstrap_cas" in found.advice


def test_a_key_file_that_is_gone_fails(device_ca, data_dir):
    path = data_dir / "keys" / device_ca.key_reference
    path.rename(path.with_suffix(".gone"))
    get_signer.cache_clear()  # as in another process

    (found,) = bad("keys")

    assert (found.level, found.name) == ("FAIL", "key of device-ca")


def test_a_profile_without_a_quota_is_warned_of(installation, change_default_profile):
    change_default_profile(new_names_per_hour=None)
    (found,) = bad("quotas")
    change_default_profile(identity_rule="same-cn")

    assert (found.level, "new_names_per_hour" in found.advice) == ("WARN", True)
    assert levels("quotas") == {"OK"}


def test_a_profile_that_does_not_fit_the_template_is_warned_of(
    installation, change_default_profile
):
    change_default_profile(can_rebind_names=True)

    (found,) = bad("profiles")

    assert "pki.W001" in found.finding


def test_what_aws_iot_lacks_is_named(device_ca, change_default_profile):
    assert levels("aws iot") == {"OK"}
    change_default_profile(iot_provisioning="register")
    CARegistration.objects.create(ca=device_ca, target="default", state="failed", error="no")

    found = bad("aws iot")

    assert [(one.level, one.advice) for one in found] == [
        ("FAIL", "Run manage.py register_ca device-ca."),
        ("WARN", "Run manage.py sync_template."),
        ("WARN", "Run manage.py sync_policy."),
    ]


@pytest.mark.parametrize(
    ("state", "seconds", "level"),
    [("pending", 0, "OK"), ("pending", OUTBOX_SECONDS + 5, "FAIL"), ("parked", 0, "WARN")],
)
def test_an_outbox_that_stands_still_fails(state, seconds, level, est_client):
    est_client.simpleenroll(make_csr())
    since = timezone.now() - datetime.timedelta(seconds=seconds)
    row = IssuedCertificate.objects.get(common_name="sensor-1")
    Provisioning.objects.create(
        certificate=row, target="default", state=state, pending_since=since, error="throttled"
    )

    (found,) = rows("outbox")

    assert found.level == level
    assert level == "OK" or "throttled" in found.finding


def test_hooks_and_jobs_that_stand_still_are_warned_of(est_client):
    assert levels("hooks") == levels("jobs") == {"OK"}
    est_client.simpleenroll(make_csr())
    row = IssuedCertificate.objects.get(common_name="sensor-1")
    PendingHook.objects.create(certificate=row, attempts=5, last_error="no such host")
    Job.objects.create(kind="revoke", parameters={}, state="failed", error="boom", position=4)

    (hook,), (job,) = bad("hooks"), bad("jobs")

    assert "no such host" in hook.finding
    assert "at its line 5: boom" in job.finding


def test_a_webhook_that_cannot_be_signed_for_fails_and_what_was_given_up_is_warned_of(
    installation, settings
):
    assert levels("webhooks") == {"OK"}
    add = {"reason": "test", "actor": TESTER}
    hook, _ = add_webhook("inventory", "https://hooks.example.com/", ["certificate.issued"], **add)
    gone, _ = add_webhook("old", "https://old.example.com/", ["certificate.issued"], **add)
    end_webhook(gone, **add)
    assert levels("webhooks") == {"OK"}

    for number in range(2):
        Message.objects.create(
            channel="webhook", webhook=hook, once=f"x{number}", event="x", body="{}",
            state="parked", give_up_at=timezone.now(), last_error=f"answered 50{number}",
        )  # fmt: skip
    (given_up,) = bad("webhooks")
    assert given_up.level == "WARN"
    assert "2 messages were not taken" in given_up.finding
    assert "answered 501" in given_up.finding

    earlier, settings.SECRET_KEY = settings.SECRET_KEY, "another key, of which nobody knows"
    failed = next(one for one in bad("webhooks") if one.level == "FAIL")
    assert "The secret of inventory was sealed with another" in failed.finding
    settings.SECRET_KEY_FALLBACKS = [earlier]
    assert "FAIL" not in levels("webhooks")


def change_trail(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_a_row_of_the_trail_that_was_changed_fails(installation):
    assert levels("audit") == {"OK"}
    change_trail("UPDATE pki_auditevent SET reason = 'other' WHERE action = 'issue'")

    (found,) = bad("audit")

    assert "its contents were changed" in found.finding


def test_a_row_of_the_trail_that_is_missing_fails(installation):
    in_write_transaction(lambda: audit_trail.record("one", actor=TESTER, target="x"))
    in_write_transaction(lambda: audit_trail.record("two", actor=TESTER, target="x"))
    change_trail("DELETE FROM pki_auditevent WHERE action = 'one'")

    (found,) = bad("audit")

    assert "is missing before it" in found.finding


def test_a_trail_that_was_emptied_fails(installation):
    change_trail("DELETE FROM pki_auditevent")

    (found,) = bad("audit")

    assert "empty" in found.finding


def test_an_installation_without_an_administrator_is_warned_of(installation):
    (found,) = bad("accounts")
    User.objects.create_superuser("alice", password="a password")

    assert "createsuperuser" in found.advice
    assert levels("accounts") == {"OK"}


def test_T86_people_who_sign_in_with_a_password_alone_are_counted(installation, settings):
    alice = User.objects.create_superuser("alice", password="a password")
    User.objects.create_superuser("bob", password="a password")
    User.objects.create_user("carol", password="a password")  # may not sign in
    SecondFactor.objects.create(account=alice.pk, secret="sealed", last_step=1)
    settings.EST_ADMIN_SECOND_FACTOR = "optional"

    (found,) = bad("accounts")
    assert (found.level, found.finding) == (
        "WARN",
        "1 of 2 people sign in with a password alone.",
    )
    settings.EST_ADMIN_SECOND_FACTOR = "required"
    assert "1 set it up at their next sign-in" in rows("accounts")[1].finding
    assert levels("accounts") == {"OK"}


def test_aws_is_asked_only_where_the_configuration_names_a_domain(installation, monkeypatch):
    monkeypatch.setattr(deployment, "current_deployment", lambda: pytest.fail("AWS was asked"))

    assert rows("deployment") == []


def test_aws_that_cannot_be_asked_is_a_failure_of_another_service(installation, monkeypatch):
    def fail():
        raise RemoteFailure("sts:GetCallerIdentity", "ExpiredToken", "expired", "Log in again.")

    monkeypatch.setattr(of_aws, "is_on_aws", lambda: True)
    monkeypatch.setattr(deployment, "current_deployment", fail)

    (found,) = rows("deployment")
    _, code, _ = run("doctor", "deployment")

    assert (found.level, found.is_remote, code) == ("FAIL", True, 3)


def test_the_command_prints_a_line_a_check_and_ends_with_1_if_one_fails(device_ca):
    said, code, _ = run("doctor", "cas", "quotas")
    CertificateAuthority.objects.filter(pk=device_ca.pk).update(not_after=timezone.now() - DAY)
    failed, failed_code, error = run("doctor", "cas")

    assert (code, said.count("OK  ")) == (0, 3)
    assert (failed_code, error) == (1, "1 of 2 are not as they should be.")
    assert "See docs/operating.md#roll-a-ca." in failed


def test_json_has_every_line_with_its_docs(installation):
    said, code, _ = run("doctor", "--local", "--json")

    found = json.loads(said)
    assert code == 0
    assert {one["check"] for one in found} == {
        check.name for check in CHECKS if not check.asks_others
    }
    assert all(one["docs"].startswith("docs/") for one in found)


def test_a_check_that_does_not_exist_is_wrong_usage(installation):
    _, code, error = run("doctor", "nonsense")

    assert code == 2
    assert "outbox" in error


def test_the_summary_counts_and_costs_few_statements(
    device_ca, change_default_profile, django_assert_max_num_queries
):
    change_default_profile(new_names_per_hour=None)

    with django_assert_max_num_queries(4):
        found = summary()
    with django_assert_max_num_queries(0):
        again = summary()

    assert again == found
    assert (found.failures, found.warnings) == (0, 1)
    assert [one.check for one in found.worst] == ["quotas"]


def test_a_check_is_one_row_at_least_and_names_itself(installation):
    """A check that says nothing would look like one that was not run."""
    check = Check("x", "docs/operating.md#doctor", lambda: [Row("x", "OK", "Well.")])

    assert [one.name for one in examine([check])] == ["x"]
    for each in CHECKS:
        assert each.name == "deployment" or list(each.look()), each.name
