"""No transaction of a job grows with the job: neither its statements nor what they write."""

from functools import partial

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench.fill import insert, new_fleet, tables_of
from iotprov.jobs import reprovisioning
from iotprov.jobs.reprovisioning import start_reprovisioning
from pki.denylist.csv_import import Line
from pki.jobs import denying, exporting, lifecycle, pace
from pki.jobs.denying import start_import
from pki.jobs.exporting import start_export
from pki.jobs.lifecycle import cancel_job
from pki.jobs.revoking import start_revocation
from pki.jobs.worker import work_on_job
from pki.models import CertificateProfile, IssuedCertificate, Job
from tests.conftest import TESTER
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db(transaction=True)

MOST = 10
"""Rows of a transaction in these tests, as far below the jobs' lines as the real ones."""


@pytest.fixture(autouse=True)
def fleet(est_client, monkeypatch):
    """Two hundred certificates, and bounds that are small beside them."""
    assert est_client.simpleenroll(make_csr("template")).status_code == 200
    with connection.cursor() as cursor:
        for template, rows in tables_of(new_fleet(200))[:1]:
            insert(cursor, template, rows())
    CertificateProfile.objects.update(iot_provisioning="register")  # AWS IoT is to follow
    IssuedCertificate.objects.update(profile=CertificateProfile.objects.first())
    monkeypatch.setattr(pace, "FIRST", MOST)
    monkeypatch.setattr(pace, "cpu_time", lambda: 0.0)  # so short that there may be most rows
    monkeypatch.setattr(pace, "rest", lambda took: None)
    monkeypatch.setattr(lifecycle, "LINES_TOGETHER", MOST)
    monkeypatch.setattr(exporting, "TOGETHER", MOST)
    monkeypatch.setattr(denying, "LOOKED_AT_TOGETHER", 3 * MOST)
    for module, name in ((denying, "DENY_IMPORT"), (reprovisioning, "REPROVISION")):
        kind = getattr(module, name)
        fields = {one: getattr(kind, one) for one in type(kind).__dataclass_fields__}
        monkeypatch.setattr(module, name, type(kind)(**fields | {"chunk": MOST}))


def some(count):
    issued = IssuedCertificate.objects.filter(state=IssuedCertificate.State.ISSUED)
    keys = list(issued.exclude(common_name="template").values_list("pk", flat=True)[:count])
    assert len(keys) == count
    return IssuedCertificate.objects.filter(pk__in=keys)


def an_import(count):
    names = [f"new-{count}-{number}" for number in range(count)]  # else there is less to do
    lines = [Line(n, "name", name, "recall", None) for n, name in enumerate(names, 1)]
    return start_import(lines, is_replacing=False, actor=TESTER)


STARTS = {
    "deny-import": an_import,
    "revoke": lambda count: start_revocation(
        some(count), reason="keyCompromise", comment="", actor=TESTER
    ),
    "reprovision": lambda count: start_reprovisioning(some(count), reason="moved", actor=TESTER),
    "export": lambda count: start_export(some(count), form="csv", actor=TESTER),
}


def largest(do):
    """The most statements and the most characters of them that one transaction had."""
    with CaptureQueriesContext(connection) as queries:
        do()
    sizes, current = [], None
    for sql in (each["sql"] for each in queries):
        if sql.startswith("BEGIN"):
            current = []
        elif sql.startswith(("COMMIT", "ROLLBACK")):
            sizes.append((len(current), sum(map(len, current))))
            current = None
        elif current is not None:
            current.append(sql)
    return max(size[0] for size in sizes), max(size[1] for size in sizes)


def whole(start, count):
    job = start(count)
    work_on_job(job.pk, may_go_on=lambda: True)
    job.refresh_from_db()
    assert (job.state, job.failed) == (Job.State.FINISHED, 0), job.error


@pytest.mark.parametrize("kind", STARTS)
def test_no_transaction_of_a_job_grows_with_its_lines(kind):
    # The first one is warm: it reads what later ones keep.
    whole(STARTS[kind], 1)

    few = largest(partial(whole, STARTS[kind], 4 * MOST))
    many = largest(partial(whole, STARTS[kind], 8 * MOST))

    assert many[0] <= few[0] + 2
    assert many[1] <= few[1] * 1.1


@pytest.mark.parametrize("kind", ["deny-import", "export"])
def test_no_transaction_that_takes_back_a_cancelled_job_grows_with_it(kind):
    def cancelled(count):
        job = STARTS[kind](count)
        turns = iter([True] * (1 + count // MOST))
        work_on_job(job.pk, may_go_on=lambda: next(turns, False))
        cancel_job(job, actor=TESTER, reason="wrong list")
        work_on_job(job.pk, may_go_on=lambda: True)
        job.refresh_from_db()
        assert job.state == Job.State.CANCELLED

    cancelled(1)
    few, many = largest(partial(cancelled, 2 * MOST)), largest(partial(cancelled, 6 * MOST))

    assert many[0] <= few[0] + 2
    assert many[1] <= few[1] * 1.1
