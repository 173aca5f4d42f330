"""An import has no effect while staged, comes in force by one row, and is like denials then."""

import datetime
from itertools import product

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone

from iotprov.provisioning.record_facts import read_facts
from pki.denylist import batches
from pki.denylist.adding import Outcome, entry_on_record, settle, terms_in_words, write_for_good
from pki.denylist.csv_import import compare, read_lines
from pki.denylist.entries import allow, deny
from pki.models import AuditEvent, CertificateProfile, DenylistBatch, DenylistEntry
from pki.models import IssuedCertificate as Certificate
from pki.models.denylist import IN_FORCE_SQL, NEVER
from pki.models.fields import new_identifier
from pki.models.hot_path_sql import fetch
from pki.models.hot_path_values import prepared_value
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key

IMPORTER = Actor("command:importer", "job-1", "192.0.2.7")
SOON = timezone.now() + datetime.timedelta(days=3)

pytestmark = pytest.mark.django_db(transaction=True)


def lines_of(*texts):
    return read_lines("\n".join(["kind,value,reason,expires", *texts]).encode())


def staged(*texts, is_replacing=False):
    """Return a batch of these lines, none of which is in force yet."""
    lines = lines_of(*texts)

    def stage():
        batch = batches.find_or_create(new_identifier(), is_replacing=is_replacing, actor=IMPORTER)
        return batch, batches.stage(lines, batch)

    batch, outcomes = in_write_transaction(stage)
    batch.lines, batch.outcomes = lines, outcomes
    return batch


def put_in_force(batch):
    in_write_transaction(
        lambda: batches.put_in_force(batch, lines=len(batch.lines), actor=IMPORTER)
    )
    batch.refresh_from_db()


def settled(batch):
    named = [(line.kind, line.value) for line in batch.lines]
    return list(in_write_transaction(lambda: settle(named, batch)).values())


def entry(value="sensor-1"):
    return DenylistEntry.objects.get(value=value)


def test_the_rule_in_sql_in_the_orm_and_of_a_row_is_one():
    now = timezone.now()
    past, future = now - datetime.timedelta(days=1), now + datetime.timedelta(days=1)
    made = {}
    for number, (own, after, batch) in enumerate(
        product((None, past, future, NEVER), (None, past, future), (None, "waits", "in force"))
    ):
        row = batch and DenylistBatch.objects.create(
            is_replacing=False, in_force_at=now if batch == "in force" else None
        )
        made[f"thing-{number}"] = (own, after, batch)
        DenylistEntry.objects.create(
            kind="name",
            value=f"thing-{number}",
            reason="r",
            expires_at=own,
            batch=row,
            next_reason=row and "n",
            next_expires_at=row and after,
        )
    expected = {
        value
        for value, (own, after, batch) in made.items()
        if own in (None, future) or (batch == "in force" and after in (None, future))
    }
    at = prepared_value(DenylistEntry, "expires_at", timezone.now())

    by_row = {row.value for row in DenylistEntry.objects.all() if row.is_in_force}
    by_orm = set(DenylistEntry.objects.in_force().values_list("value", flat=True))
    by_sql = {row.value for row in fetch(DenylistEntry, IN_FORCE_SQL, [at, at])}

    assert len(made) == 36
    assert by_row == by_orm == by_sql == expected


def test_the_condition_of_the_list_and_of_a_row_is_one():
    staged("name,a,r,", "name,b,r,")
    put_in_force(staged("name,c,r,"))
    deny("name", "d", reason="r", actor=TESTER)

    on_list = set(DenylistEntry.objects.on_list().values_list("value", flat=True))

    assert on_list == {row.value for row in DenylistEntry.objects.all() if row.is_on_list}
    assert on_list == {"c", "d"}


@pytest.mark.parametrize("kind", ["name", "key"])
def test_T17_staged_lines_stop_nothing_and_one_row_stops_all(est_client, kind):
    key = make_key(index=1)
    certificate = est_client.simpleenroll(make_csr("sensor-1", key=key)).certificate
    key_hash = Certificate.objects.get(serial_number=f"{certificate.serial_number:x}").key_sha256
    values = {"name": "Sensor-1", "key": key_hash}
    batch = staged(f"{kind},{values[kind]},recall,", "name,other,recall,")
    again = make_csr("sensor-1", key=key, serial_number="SN-2")
    assert est_client.simpleenroll(again).status_code == 200

    put_in_force(batch)

    refused = est_client.simpleenroll(make_csr("sensor-1", key=key, serial_number="SN-3"))
    assert refused.reason == "device-denied"
    assert settled(batch) == [Outcome.NEW] * 2
    assert est_client.simpleenroll(again).reason == "device-denied"


def test_the_version_before_takes_what_is_staged_for_expired():
    staged("name,sensor-1,recall,")

    assert entry().expires_at < timezone.now()


def test_a_settled_entry_is_like_one_of_a_single_deny():
    batch = staged("name,sensor-1,recall,")
    put_in_force(batch)
    settled(batch)

    row = entry()
    assert (row.reason, row.expires_at, row.created_by) == ("recall", None, IMPORTER.name)
    assert (row.batch_id, row.next_reason, row.next_expires_at) == (None, None, None)
    assert row.created_at == batch.in_force_at
    event = AuditEvent.objects.get(action="deny")
    assert (event.target, event.reason) == ("name:sensor-1", "recall")
    assert (event.actor, event.source_ip) == (IMPORTER.name, IMPORTER.source_ip)
    assert event.request_id == str(batch.pk)
    assert (event.before, event.after) == (None, {"reason": "recall", "expires_at": None})


def test_settling_twice_does_nothing_the_second_time():
    batch = staged("name,sensor-1,recall,")
    put_in_force(batch)

    assert settled(batch) == [Outcome.NEW]
    assert settled(batch) == []
    assert AuditEvent.objects.filter(action="deny").count() == 1


def test_T17_what_only_waits_is_on_nobodys_list(admin_client):
    staged("name,sensor-1,recall,")

    assert entry_on_record("name", "sensor-1") is None
    assert compare(lines_of("name,sensor-1,recall,")) == [Outcome.NEW]
    assert not allow("name", "sensor-1", reason="r", actor=TESTER)
    page = admin_client.get(reverse("admin:pki_denylistentry_changelist"))
    assert "sensor-1" not in page.text


def test_an_entry_in_force_by_its_batch_is_shown_with_the_terms_of_the_batch(admin_client):
    put_in_force(staged(f"name,sensor-1,recall,{SOON:%Y-%m-%d}"))

    page = admin_client.get(reverse("admin:pki_denylistentry_changelist"))

    assert "sensor-1" in page.text
    assert "Denied" in page.text
    url = reverse("admin:pki_denylistentry_changelist")
    assert "sensor-1" in admin_client.get(url, {"in_force": "yes"}).text
    assert "sensor-1" not in admin_client.get(url, {"in_force": "no"}).text
    assert "1970-01" not in page.text
    assert f"until {SOON + datetime.timedelta(days=1):%Y-%m-%d}" in terms_in_words(entry())


# What other operators do while an import is staged.


@pytest.mark.parametrize(
    ("is_replacing", "outcome", "reason"),
    [(False, Outcome.KEPT, "stolen"), (True, Outcome.CHANGED, "recall")],
)
def test_T54_a_deny_of_a_staged_value_counts_at_once_and_then_as_an_entry(
    is_replacing, outcome, reason
):
    batch = staged("name,sensor-1,recall,", is_replacing=is_replacing)

    assert deny("name", "sensor-1", reason="stolen", actor=TESTER) is Outcome.NEW
    assert entry().is_in_force
    assert entry().created_by == TESTER.name
    put_in_force(batch)

    assert settled(batch) == [outcome]
    assert (entry().reason, entry().created_by) == (reason, TESTER.name)


def test_a_deny_of_a_value_in_force_by_its_batch_meets_the_terms_of_the_batch():
    put_in_force(staged("name,sensor-1,recall,"))

    assert deny("name", "sensor-1", reason="stolen", actor=TESTER) is Outcome.KEPT
    assert entry().reason == "recall"
    changed = deny("name", "sensor-1", reason="stolen", actor=TESTER, is_replacing=True)
    assert changed is Outcome.CHANGED
    assert entry().batch_id is None


def test_an_allow_before_the_import_is_in_force_is_before_it_and_the_import_denies_again():
    deny("name", "sensor-1", reason="recall", actor=TESTER)
    batch = staged("name,sensor-1,recall,")
    assert batch.outcomes == [Outcome.SAME]

    assert allow("name", "sensor-1", reason="found", actor=TESTER)
    assert not entry().is_in_force
    assert entry_on_record("name", "sensor-1") is None
    put_in_force(batch)

    assert entry().is_in_force
    assert settled(batch) == [Outcome.NEW]


def test_an_allow_after_the_import_is_in_force_ends_the_entry_for_good():
    batch = staged("name,sensor-1,recall,")
    put_in_force(batch)

    assert allow("name", "sensor-1", reason="found", actor=TESTER)

    assert settled(batch) == []
    assert not DenylistEntry.objects.exists()


def test_an_entry_that_expires_while_it_is_staged_gets_the_terms_of_the_import():
    deny("name", "sensor-1", reason="lent", actor=TESTER, expires_at=SOON)
    batch = staged("name,sensor-1,recall,")
    assert batch.outcomes == [Outcome.KEPT]
    DenylistEntry.objects.update(expires_at=timezone.now())
    put_in_force(batch)

    assert settled(batch) == [Outcome.CHANGED]
    assert (entry().reason, entry().expires_at) == ("recall", None)


def test_a_replaced_entry_keeps_its_own_terms_until_the_batch_is_in_force():
    deny("name", "sensor-1", reason="lent", actor=TESTER, expires_at=SOON)
    batch = staged("name,sensor-1,recall,", is_replacing=True)
    assert (entry().ends_at, entry().terms) == (SOON, ("lent", SOON))

    put_in_force(batch)

    assert entry().ends_at is None
    settled(batch)
    event = AuditEvent.objects.order_by("-at").first()
    assert event.before == {"reason": "lent", "expires_at": SOON.isoformat()}


def test_a_line_whose_value_waits_for_another_import_fails():
    first = staged("name,sensor-1,recall,")

    second = staged("name,SENSOR-1,stolen,", "name,sensor-2,stolen,")

    refusal, other = second.outcomes
    assert isinstance(refusal, OperatorError)
    assert f"is in another import, job {first.pk}" in str(refusal)
    assert other is Outcome.NEW
    assert entry().batch_id == first.pk


@pytest.mark.parametrize("is_in_force", [False, True])
def test_a_compromised_key_is_denied_for_good_whatever_an_import_says(is_in_force):
    value = "ab" * 32
    batch = staged(f"key,{value},recall,{SOON:%Y-%m-%d}")
    if is_in_force:
        put_in_force(batch)

    in_write_transaction(lambda: write_for_good("key", value, reason="compromised", actor=TESTER))

    assert (entry(value).reason, entry(value).expires_at) == ("compromised", None)
    put_in_force(batch)
    settled(batch)
    assert entry(value).expires_at is None


def test_discarding_leaves_what_was_there_before():
    deny("name", "kept", reason="lent", actor=TESTER, expires_at=SOON)
    before = DenylistEntry.objects.values().get()
    batch = staged("name,kept,recall,", "name,new,recall,", is_replacing=True)

    in_write_transaction(lambda: batches.discard(batch.lines, batch))

    assert DenylistEntry.objects.values().get() == before


def test_aws_iot_learns_of_the_end_that_the_batch_gives(est_client):
    certificate = est_client.simpleenroll(make_csr("sensor-1")).certificate
    CertificateProfile.objects.update(iot_provisioning="register")
    row = Certificate.objects.get(serial_number=f"{certificate.serial_number:x}")
    put_in_force(staged(f"name,sensor-1,recall,{SOON:%Y-%m-%d}"))

    facts = read_facts(row.pk, "default", timezone.now())

    assert facts.is_denied
    assert facts.denied_until == entry().next_expires_at


def test_the_look_of_an_enrollment_reads_a_batch_only_for_entries_that_match():
    at = prepared_value(DenylistEntry, "expires_at", timezone.now())
    statement = f"SELECT id FROM pki_denylistentry WHERE {IN_FORCE_SQL} AND value = %s"
    is_sqlite = connection.vendor == "sqlite"
    with transaction.atomic(), connection.cursor() as cursor:
        if not is_sqlite:
            cursor.execute("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN" if is_sqlite else "EXPLAIN"
        cursor.execute(f"{explain} {statement}", [at, at, "sensor-1"])
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())

    assert ("CORRELATED SCALAR SUBQUERY" if is_sqlite else "SubPlan") in plan
    assert "SCAN" not in plan
    assert "Seq Scan" not in plan
