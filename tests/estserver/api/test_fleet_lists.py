"""Each list of the API, with each filter, reads as many rows for a large fleet as for a small one.

As `tests.estserver.console.test_fleet_pages` does for the pages: SQLite counts the steps of its
virtual machine, which are the same in every run.
"""

import pytest
from django.db import connection, reset_queries
from django.test.utils import CaptureQueriesContext

from bench import fleet
from pki.admin import bounded_count
from pki.devices import states
from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate, Job
from pki.record import bounded_counts
from pki.search import newest
from tests.estserver.console.test_fleet_pages import (
    COUNTED,
    LARGE,
    LEAST,
    LOOKED_AT,
    SLACK,
    SMALL,
    count_steps,
    fleet_of,
)
from tests.support.builders import make_csr

LIMIT = 10
MOST_STATEMENTS = 9
"""Of one page: three for the token, up to four for what a filter means, one or two for the rows."""


def lists():
    """Yield the lists with their filters. Some values are of the fleet, which is made anew."""
    row = IssuedCertificate.objects.exclude(client_fingerprint="").order_by("pk").last()
    ca = CertificateAuthority.objects.device().order_by("pk").first()
    job = Job.objects.order_by("pk").last()
    certificates = (
        *({"status": word} for word in ("active", "expiring", "expiring-90", "expired")),
        *({"status": word} for word in ("superseded", "revoked", "intent", "void")),
        {},
        {"operation": "enroll"},
        {"operation": "reenroll", "status": "active"},
        {"ca": ca.name},
        {"profile": "default"},
        {"made": "7-days"},
        {"ends_from": "2020-01-01"},
        {"ends_to": "2090-01-01", "status": "revoked"},
        {"q": row.common_name[:4]},
        {"q": row.serial_number},
        {"q": row.fingerprint_sha256 or row.key_sha256},
        {"client": row.client_fingerprint},
        {"address": "192.0.2.1"},
    )
    yield from (("certificates", filters) for filters in certificates)
    yield from (
        ("audit", filters)
        for filters in (
            {},
            {"kind": "refusals"},
            {"kind": "operators"},
            {"who": "system"},
            {"from": "2020-01-01"},
            {"to": "2090-01-01", "reason": "device-denied"},
            {"actor": "root"},
            {"q": row.serial_number},
        )
    )
    yield "denylist", {}
    yield "denylist", {"in_force": True}
    yield "denylist", {"kind": "name"}
    yield "denylist", {"q": row.common_name[:4]}
    yield "jobs", {}
    yield "jobs", {"state": "finished"}
    yield f"jobs/{job.pk}/lines", {}
    yield "devices", {}
    yield "devices", {"state": "denied"}
    yield "devices", {"beginning": row.common_name[:4]}
    yield "cas", {}
    yield "profiles", {}
    yield "targets", {}
    yield "outbox", {}
    yield "outbox", {"state": "settled"}
    yield "outbox", {"state": "parked"}
    yield "messages", {"state": "delivered"}


def asked(program):
    """What each list took for two pages that follow each other: (steps, statements of one)."""
    found = {}
    for number, (path, filters) in enumerate(lists()):
        cursor, pages = "", 0
        while pages < 2 and cursor is not None:
            given = {"limit": LIMIT, **filters, **({"cursor": cursor} if cursor else {})}
            if path == "targets":
                given = filters
            reset_queries()
            steps = count_steps()
            with CaptureQueriesContext(connection) as queries:
                answer = program.get(path, **given)
            assert answer.status_code == 200, (path, given, answer.content)
            name = path.split("/")[0] + path.rpartition("/")[2], tuple(filters), number, pages
            found[name] = (steps(), len(queries))
            cursor, pages = answer.json().get("next_cursor"), pages + 1
    return found


@pytest.mark.skipif("sqlite" not in connection.settings_dict["ENGINE"], reason="SQLite's steps")
@pytest.mark.django_db
def test_no_list_reads_more_rows_of_a_larger_fleet(officer, est_client, monkeypatch):
    assert est_client.simpleenroll(make_csr("template")).status_code == 200
    assert officer.get("token").status_code == 200  # its use is noted, and not again
    monkeypatch.setattr(bounded_count, "MOST_LOOKED_AT", LOOKED_AT)
    monkeypatch.setattr(bounded_counts, "MOST_COUNTED", COUNTED)
    monkeypatch.setattr(newest, "MOST_ROWS", LOOKED_AT)
    monkeypatch.setattr(states, "MOST_EVENTS", LOOKED_AT)
    monkeypatch.setattr(fleet, "MOST_DENIED", 100)  # a denylist does not grow with the fleet

    with fleet_of(SMALL):
        small = asked(officer)
    with fleet_of(LARGE):
        large = asked(officer)
        assert AuditEvent.objects.count() > LARGE

    grown = {
        name: (small[name][0], steps)
        for name, (steps, _) in large.items()
        if name in small and steps > small[name][0] * SLACK + LEAST
    }
    assert not grown
    many = {name: count for name, (_, count) in large.items() if count > MOST_STATEMENTS}
    assert not many
    assert len(large) > 40
