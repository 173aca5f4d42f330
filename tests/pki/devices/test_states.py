"""Each device is in one state, which the page, the list and its counts agree on."""

import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from pki.denylist.entries import allow, deny
from pki.devices import selections
from pki.devices.listing import PAGE, count_devices, list_devices
from pki.devices.record import device_record
from pki.devices.states import DeviceState
from pki.issuance.release import release_name
from pki.models import IssuedCertificate
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.revocation.revoke import revoke_certificate
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)

OPERATOR = Actor("command:tester")
YEAR = datetime.timedelta(days=365)
ON_SQLITE = pytest.mark.skipif(
    "sqlite" not in connection.settings_dict["ENGINE"], reason="reads SQLite's query plan"
)


@pytest.fixture
def enroll(est_client):
    """Enroll a device and return its row."""

    def enroll(name="Sensor-1", index=0):
        reply = est_client.simpleenroll(
            make_csr(name, key=make_key(index=index), serial_number=f"SN-{name}")
        )
        return IssuedCertificate.objects.get(serial_number=f"{reply.certificate.serial_number:x}")

    return enroll


@pytest.fixture
def renew(est_client):
    """Renew a device with its own certificate, and return the new row."""

    def renew(row, index=1):
        csr = make_csr(
            row.common_name, key=make_key(index=index), serial_number=f"SN-{row.common_name}"
        )
        reply = est_client.using(row.to_x509()).simplereenroll(csr)
        assert reply.status_code == 200, reply.text
        return IssuedCertificate.objects.get(serial_number=f"{reply.certificate.serial_number:x}")

    return renew


def ends_in(row, days):
    """Let a certificate end in so many days."""
    not_after = timezone.now() + datetime.timedelta(days=days)
    IssuedCertificate.objects.filter(pk=row.pk).update(not_after=not_after)


def others(count):
    """Devices beside the one that is looked at: copies of no certificate, with names."""
    (row,) = IssuedCertificate.objects.exclude(name_owner=None)[:1]
    rows = []
    for number in range(count):
        copy = IssuedCertificate.objects.get(pk=row.pk)
        copy.pk = audit_trail.new_identifier()
        copy.common_name = copy.name_folded = copy.name_owner = f"other-{number:04}"
        copy.serial_number = copy.fingerprint_sha256 = f"{number:064x}"[-40:]
        copy.key_sha256 = f"{number:064x}"
        copy.serial_folded = f"sn-other-{number}"
        copy.state, copy.operation, copy.not_after = "issued", "enroll", row.created_at + YEAR
        copy.key_owner = copy.request_key = copy.current_name = None
        rows.append(copy)
    IssuedCertificate.objects.bulk_create(rows)


def listed():
    """The names in the list of each state."""
    return {
        state: [one.common_name for one in list_devices(state).devices] for state in DeviceState
    }


def states_of(name, lists=None):
    """The state by the record, by the whole list, and those lists by state that have the name."""
    (whole,) = [one.state for one in list_devices().devices if one.common_name == name]
    lists = lists or listed()
    return device_record(name).state, whole, [state for state in lists if name in lists[state]]


def check(name, state):
    others(3)
    lists = listed()
    counts = {each: count_devices(each) for each in DeviceState}
    assert states_of(name, lists) == (state, state, [state])
    assert counts[state] == len(lists[state])
    assert sum(counts.values()) == count_devices() == 4
    found = {each for names in lists.values() for each in names}
    assert found == {name, "other-0000", "other-0001", "other-0002"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selections, "MOST_LOOKED_UP", 0)  # as in a fleet that has many of them
        assert listed() == lists


def test_a_device_that_enrolled_once_is_new(enroll):
    enroll()

    check("Sensor-1", DeviceState.NEW)


def test_a_device_that_renewed_is_current(enroll, renew):
    renew(enroll())

    check("Sensor-1", DeviceState.CURRENT)


def test_a_device_that_enrolled_again_is_current(enroll):
    enroll()
    enroll(index=2)

    check("Sensor-1", DeviceState.CURRENT)


@pytest.mark.parametrize("renews", [True, False])
def test_a_device_in_the_last_third_of_its_validity_is_due(enroll, renew, renews):
    row = renew(enroll()) if renews else enroll()
    ends_in(row, 365 / 3 - 1)

    check("Sensor-1", DeviceState.DUE)


def test_the_profiles_window_says_when_a_renewal_is_due(enroll, change_default_profile, est_client):
    change_default_profile(reenroll_window_days=10)
    row = enroll()
    ends_in(row, 11)
    assert states_of("Sensor-1")[0] is DeviceState.NEW
    ends_in(row, 9)

    check("Sensor-1", DeviceState.DUE)


def test_a_device_whose_certificate_expired_is_overdue(enroll, renew):
    row = renew(enroll())
    ends_in(row, -1)

    check("Sensor-1", DeviceState.OVERDUE)


def test_a_device_whose_last_certificate_was_revoked_has_none(enroll):
    revoke_certificate(enroll(), reason="superseded", actor=OPERATOR)

    check("Sensor-1", DeviceState.STOPPED)


def test_an_intent_that_was_not_signed_yet_is_no_certificate(enroll):
    IssuedCertificate.objects.filter(pk=enroll().pk).update(state="intent", issued_at=None)

    check("Sensor-1", DeviceState.STOPPED)


@pytest.mark.parametrize("kind", ["name", "device-serial", "key", "fingerprint", "serial"])
def test_a_device_that_the_denylist_names_by_any_kind_is_denied(enroll, renew, kind):
    row = renew(enroll())
    value = {
        "name": "SENSOR-1",
        "device-serial": "sn-sensor-1",
        "key": row.key_sha256,
        "fingerprint": row.fingerprint_sha256,
        "serial": row.serial_number,
    }[kind]
    deny(kind, value, reason="stolen", actor=OPERATOR)
    assert [entry.kind for entry in device_record("Sensor-1").denied_by] == [kind]
    states = states_of("Sensor-1")
    assert states == (DeviceState.DENIED, DeviceState.DENIED, [DeviceState.DENIED])

    allow(kind, value, reason="found", actor=OPERATOR)

    check("Sensor-1", DeviceState.CURRENT)


def test_an_entry_that_has_expired_denies_nobody(enroll):
    enroll()
    deny("name", "sensor-1", reason="lent", actor=OPERATOR)
    from pki.models import DenylistEntry

    DenylistEntry.objects.update(expires_at=timezone.now() - datetime.timedelta(days=1))

    check("Sensor-1", DeviceState.NEW)


def test_a_name_that_another_client_asked_for_is_conflicting(enroll, est_client, client_ca):
    row = enroll()
    other = enroll("other-device", index=3)
    IssuedCertificate.objects.filter(pk=row.pk).update(
        client_fingerprint="ab" * 32, client_signed_sha256="cd" * 32,
        holder_fingerprint="", holder_signed_sha256="", holder_name_sha256="",
    )  # fmt: skip
    refused = est_client.simpleenroll(make_csr("Sensor-1", key=make_key(index=4)))
    assert (refused.status_code, refused.reason) == (403, "name-bound-to-another")

    assert states_of("Sensor-1") == (
        DeviceState.CONFLICTING, DeviceState.CONFLICTING, [DeviceState.CONFLICTING],
    )  # fmt: skip
    assert states_of(other.common_name)[0] is DeviceState.NEW
    last = device_record("sensor-1").last_request
    assert last.is_refused
    assert last.reason.code == "name-bound-to-another"
    assert last.sentence.startswith("Another client certificate")


def test_a_released_name_is_on_record_and_no_device_of_the_list(enroll):
    row = enroll()
    release_name("Sensor-1", reason="sold", actor=OPERATOR, is_revoking=True)

    found = device_record("Sensor-1")

    assert (found.owner, found.holder, found.state) == (None, None, DeviceState.STOPPED)
    assert found.certificates == (row,)
    assert list_devices().devices == ()


def test_the_record_says_who_holds_the_name_and_how_many_names_it_took(enroll, installation):
    enroll()
    enroll("sensor-2", index=2)
    client = IssuedCertificate.objects.get(operation="client")

    holder = device_record("SENSOR-1").holder

    assert holder.record == client
    assert holder.fingerprint == client.fingerprint_sha256
    assert (holder.names_within_hour, holder.names_ever) == (2, 2)
    assert holder.profile.new_names_per_hour == 3600
    assert not holder.is_reserved


def test_what_was_never_asked_for_has_no_record(enroll):
    enroll()

    assert device_record("nobody") is None
    assert device_record("test-client") is None


def test_a_name_that_was_only_denied_or_refused_has_a_record(installation, est_client):
    deny("name", "lost-1", reason="lost", actor=OPERATOR)
    est_client.simplereenroll(make_csr("ghost-1"))

    assert device_record("lost-1").denied_by
    assert device_record("ghost-1").last_request.reason.code == "nothing-to-renew"


def test_pages_follow_each_other_without_a_gap(enroll):
    enroll()
    others(PAGE + 7)

    first = list_devices(beginning="OTHER-")
    second = list_devices(beginning="other-", after=first.devices[-1].common_name)

    names = [one.common_name for page in (first, second) for one in page.devices]
    assert names == [f"other-{number:04}" for number in range(PAGE + 7)]
    assert (first.has_more, second.has_more) == (True, False)


@pytest.mark.parametrize("state", [None, *DeviceState])
def test_a_page_takes_as_many_statements_for_fifty_devices_as_for_one(enroll, state):
    enroll()
    with CaptureQueriesContext(connection) as few:
        list_devices(state)
    others(PAGE)
    with CaptureQueriesContext(connection) as many:
        list_devices(state)

    # The looks for a page's devices come to it, if the state had none.
    assert len(selects(many)) <= len(selects(few)) + 3
    assert len(selects(many)) <= 7


def sql_of(queries):
    """The statement of a list or of its count, which is the longest one."""
    return max((one["sql"] for one in queries), key=len)


@pytest.mark.parametrize("state", [DeviceState.STOPPED, DeviceState.OVERDUE, DeviceState.DUE])
def test_where_many_are_concerned_rows_are_looked_at_one_by_one(enroll, state, monkeypatch):
    """PostgreSQL makes a join of EXISTS, and read a million rows for a page."""
    monkeypatch.setattr(selections, "MOST_LOOKED_UP", 0)
    enroll()
    others(1)
    if state is DeviceState.STOPPED:
        IssuedCertificate.objects.filter(common_name="other-0000").update(state="revoked")
    else:
        soon = timezone.now() + datetime.timedelta(days=1 if state is DeviceState.DUE else -1)
        IssuedCertificate.objects.filter(common_name="other-0000").update(not_after=soon)

    with CaptureQueriesContext(connection) as listing:
        assert [one.common_name for one in list_devices(state).devices] == ["other-0000"]
    with CaptureQueriesContext(connection) as counting:
        assert count_devices(state) == 1

    assert "EXISTS" not in sql_of(listing)
    assert "EXISTS" not in sql_of(counting)


def test_names_that_begin_so_are_read_from_the_first_possible_one_on(enroll):
    """PostgreSQL compared all names before them."""
    enroll()
    with CaptureQueriesContext(connection) as queries:
        list_devices(beginning="sensor")

    assert any("\"name_owner\" >= 'sensor'" in one["sql"] for one in queries)


def selects(queries):
    return [one for one in queries if one["sql"].startswith("SELECT")]


@ON_SQLITE
@pytest.mark.parametrize("state", [None, *DeviceState])
def test_no_list_of_devices_walks_the_table(enroll, state):
    enroll()
    deny("name", "sensor-7", reason="lost", actor=OPERATOR)
    others(PAGE)
    with CaptureQueriesContext(connection) as queries:
        list_devices(state)
        count_devices(state)

    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute(f"EXPLAIN QUERY PLAN {query['sql']}")
            steps = [step for *_, step in cursor.fetchall()]
            walked = [
                step
                for step in steps
                if step.startswith("SCAN pki_") and " USING " not in step and "profile" not in step
            ]
            assert walked == [], (query["sql"], steps)


def test_a_record_is_read_with_few_statements(enroll, renew):
    renew(enroll())
    with CaptureQueriesContext(connection) as queries:
        device_record("sensor-1")

    assert len(queries) <= 19, [query["sql"][:120] for query in queries]
