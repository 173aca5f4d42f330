"""A list offers what is fast for a fleet: orders along an index, and any order of few rows."""

import datetime
import uuid

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from pki.admin import bounded_count
from pki.admin.bounded_count import leads_an_index
from pki.admin.certificate_filters import StatusFilter
from pki.models import AuditEvent, IssuedCertificate
from pki.models.fields import first_identifier
from pki.record import bounded_counts
from pki.record.bounded_counts import count_in_words, count_up_to
from tests.support.builders import make_csr

LIST = "admin:pki_issuedcertificate_changelist"
ON_SQLITE = pytest.mark.skipif(
    "sqlite" not in connection.settings_dict["ENGINE"], reason="SQLite's plan"
)


@pytest.fixture
def alice(installation, est_client, client):
    """A browser in which the superuser alice is signed in; a device's certificate is on record."""
    assert est_client.simpleenroll(make_csr("sensor-0")).status_code == 200
    client.force_login(User.objects.create_superuser("alice"))
    return client


@pytest.fixture
def make(alice):
    """Add copies of the device's row, a day older each, with the columns that are given."""

    def make_rows(count, **columns):
        now = timezone.now()
        rows = []
        for number in range(1, count + 1):
            row = IssuedCertificate.objects.filter(name_folded="sensor-0").latest("pk")
            at = now - datetime.timedelta(days=number)
            row.pk = uuid.UUID(int=first_identifier(at).int + number)
            row.common_name = row.name_folded = f"sensor-{(number * 7) % 10}"
            row.serial_number = f"{number:x}{uuid.uuid4().hex[:20]}"
            row.fingerprint_sha256 = uuid.uuid4().hex * 2
            row.name_owner = row.key_owner = row.current_name = row.request_key = None
            row.created_at, row.subject = at, f"O={chr(65 + (number * 3) % 10)}"
            for name, value in columns.items():
                setattr(row, name, value)
            row.save(force_insert=True)
            rows.append(row)
        return rows

    return make_rows


@pytest.fixture
def bound(monkeypatch):
    """Let lists count to three, and look at the newest four."""
    monkeypatch.setattr(bounded_count, "MOST_COUNTED", 3)
    monkeypatch.setattr(bounded_count, "MOST_LOOKED_AT", 4)
    monkeypatch.setattr(bounded_counts, "MOST_COUNTED", 3)


def shown(client, url=LIST, **query):
    return client.get(reverse(url), query).context["cl"]


def offered(changelist):
    return {getattr(name, "__name__", name) for name in changelist.sortable_by}


def place_of(changelist, name):
    names = [getattr(one, "__name__", one) for one in changelist.list_display]
    return str(names.index(name))


def test_few_rows_are_sorted_by_any_column(alice, make):
    make(3)
    few = shown(alice)

    assert {"status", "common_name_shown", "ca", "profile", "created_at_shown"} <= offered(few)
    by_ca = shown(alice, o=place_of(few, "ca"))
    names = [row.ca.purpose for row in by_ca.result_list]
    assert names == sorted(names)


def test_many_rows_are_sorted_along_an_index_only(alice, make, bound):
    make(5)
    many = shown(alice)

    assert offered(many) == {
        "status", "common_name_shown", "serial_number_shown", "not_after_shown", "created_at_shown"
    }  # fmt: skip
    by_ca = shown(alice, o=place_of(many, "ca"))
    assert [row.pk for row in by_ca.result_list] == [row.pk for row in many.result_list]


def test_what_filters_leave_is_sorted_by_any_column_if_it_is_few(alice, make, bound):
    make(5)
    make_void = IssuedCertificate.objects.filter(subject__in=["O=D", "O=G", "O=J"])
    assert make_void.update(state="void") == 3
    few = shown(alice, status="void")

    assert "profile" in offered(few)
    by_name = shown(alice, status="void", o=place_of(few, "common_name_shown"))
    names = [row.common_name for row in by_name.result_list]
    assert names == sorted(names)
    assert len(names) == 3


def test_what_filters_leave_keeps_its_order_if_it_is_many(alice, make, bound):
    make(6, not_after=timezone.now() - datetime.timedelta(days=1))
    many = shown(alice, status="expired")

    assert offered(many) == set()
    by_name = shown(alice, status="expired", o=place_of(many, "common_name_shown"))
    assert [row.pk for row in by_name.result_list] == [row.pk for row in many.result_list]


def test_what_expires_first_comes_first(alice, make):
    rows = make(4)
    now = timezone.now()
    for days, row in zip((3, 1, 4, 2), rows, strict=True):
        row.not_after = now + datetime.timedelta(days=days)
        row.save()

    soon = shown(alice, status="expiring-7").result_list

    assert [row.not_after for row in soon] == sorted(row.not_after for row in rows)


def test_a_search_with_many_results_shows_some_and_the_export_has_all(alice, make, bound):
    make(6)

    found = shown(alice, q="sensor")

    assert found.count_in_words == "more than 3"
    assert len(found.result_list) == 3
    assert {row.name_folded[:6] for row in found.result_list} == {"sensor"}
    export = alice.get(reverse("admin:pki_issuedcertificate_export"), {"q": "sensor"})
    lines = b"".join(export.streaming_content).decode().splitlines()
    assert len(lines) == 1 + 7


def test_a_condition_without_an_index_is_looked_for_among_the_newest(alice, make, bound):
    *_, newer, oldest = make(6)
    assert newer.pk > oldest.pk
    IssuedCertificate.objects.exclude(pk=oldest.pk).update(operation="client")

    found = shown(alice, operation__exact="enroll")

    assert list(found.result_list) == []
    assert "Operation, of the newest" in alice.get(reverse(LIST)).text


def test_the_certificates_of_an_earlier_ca_are_found_behind_those_of_its_successor(
    alice, make, bound, device_ca
):
    rows = make(6)
    successor = device_ca
    earlier = type(device_ca).objects.get(pk=device_ca.pk)
    earlier.pk, earlier.name, earlier.fingerprint_sha256 = uuid.uuid4(), "earlier", "ab" * 32
    earlier.save(force_insert=True)
    type(device_ca).objects.filter(pk=successor.pk).update(
        successor_of=earlier, created_at=rows[3].created_at
    )
    IssuedCertificate.objects.filter(pk__in=[row.pk for row in rows[4:]]).update(ca=earlier)

    found = shown(alice, ca__id__exact=str(earlier.pk))

    assert {row.pk for row in found.result_list} == {row.pk for row in rows[4:]}


def test_no_list_is_sorted_by_what_is_no_column(alice):
    url = "admin:pki_job_changelist"
    jobs = shown(alice, url)

    assert "_progress" not in offered(jobs)
    assert alice.get(reverse(url), {"o": place_of(jobs, "_progress")}).status_code == 200


@pytest.mark.django_db
def test_a_column_leads_an_index_or_it_does_not():
    leading = ["pk", "state", "name_folded", "serial_number", "not_after", "fingerprint_sha256"]
    others = ["common_name", "created_at", "ca", "source_ip", "operation", "progress"]

    assert [leads_an_index(IssuedCertificate, name) for name in leading] == [True] * 6
    assert [leads_an_index(IssuedCertificate, name) for name in others] == [False] * 6
    assert leads_an_index(AuditEvent, "chain")
    assert not leads_an_index(AuditEvent, "position")


def test_counts_stop_at_the_bound(alice, make, bound):
    make(5)
    everything = IssuedCertificate.objects.all()

    assert count_up_to(everything) == 4
    assert count_in_words(4) == "more than 3"
    assert count_in_words(3) == "3"


@ON_SQLITE
@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize("status", ["expiring-7", "expiring", "expiring-90", "expired"])
def test_times_are_read_along_their_index(alice, make, status, analyzed):
    make(5)
    if analyzed:
        connection.cursor().execute("ANALYZE")
    _, condition = StatusFilter.choices_offered[status]
    order = StatusFilter.orders[status][0]

    plan = IssuedCertificate.objects.filter(condition()).order_by(order).explain()

    assert "not_after" in plan, plan
    assert "TEMP B-TREE" not in plan, plan
    if analyzed:
        connection.cursor().execute("DROP TABLE sqlite_stat1")


def test_every_column_that_a_list_offers_is_sorted_by_without_an_error(alice, make):
    make(3)
    for model_admin in admin.site._registry.values():
        url = f"admin:{model_admin.opts.app_label}_{model_admin.opts.model_name}_changelist"
        for place in range(len(shown(alice, url).list_display)):
            for sign in ("", "-"):
                assert alice.get(reverse(url), {"o": f"{sign}{place}"}).status_code == 200


@pytest.mark.parametrize("address", ["status=bogus", "made=ever", "ca__id__exact=1"])
def test_a_value_that_a_filter_does_not_offer_shows_no_row_and_says_so(alice, make, address):
    make(2)

    page = alice.get(f"{reverse(LIST)}?{address}")

    assert not page.context["cl"].result_list
    assert "is not a value of" in page.text
