"""A denylist is imported by a job: all of its lines or none, whatever interrupts it."""

import datetime
import uuid

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError
from django.urls import reverse, reverse_lazy
from django.utils import timezone

from pki.denylist.csv_import import read_lines
from pki.denylist.entries import deny
from pki.exceptions import Busy
from pki.jobs import denying, pace, worker
from pki.jobs.denying import import_lines, start_import
from pki.jobs.lifecycle import cancel_job, continue_job
from pki.jobs.worker import work_on_job, work_on_jobs
from pki.models import AuditEvent, DenylistBatch, DenylistEntry, IssuedCertificate, Job, JobLine
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.record import audit_trail
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER
from tests.pki.management.test_commands import run
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db(transaction=True)

LINES = read_lines(
    b"kind,value,reason\n" + b"".join(b"name,sensor-%d,recall\n" % number for number in range(7))
)


@pytest.fixture(autouse=True)
def two_together(monkeypatch, installation):
    """Two lines of an import to a transaction."""
    kind = denying.DENY_IMPORT
    monkeypatch.setattr(
        denying,
        "DENY_IMPORT",
        type(kind)(
            **{name: getattr(kind, name) for name in type(kind).__dataclass_fields__} | {"chunk": 2}
        ),
    )


def start():
    return start_import(LINES, is_replacing=False, actor=TESTER)


def work(job, chunks=1000):
    turns = iter([True] * (chunks + 1))
    work_on_job(job.pk, may_go_on=lambda: next(turns, False))
    job.refresh_from_db()
    return job


def in_force():
    return DenylistEntry.objects.in_force().count()


def test_an_import_has_a_result_a_line_and_its_rows_on_the_audit_trail():
    deny("name", "sensor-3", reason="recall", actor=TESTER)
    job = work(start())

    assert (job.state, job.done, job.failed) == ("finished", 7, 0)
    results = list(job.lines.order_by("number").values_list("subject", "result"))
    assert results[2:4] == [("name sensor-2", "new"), ("name sensor-3", "same")]
    assert AuditEvent.objects.filter(action="deny", request_id=str(job.pk)).count() == 6
    event = AuditEvent.objects.get(action="deny-import")
    assert (event.target, event.after) == (f"job:{job.pk}", {"lines": 7})
    assert audit_trail.verify()[1] is None
    assert in_force() == 7


class Crash(BaseException):
    """The process ends here."""


def test_T17_a_crash_anywhere_leaves_nothing_or_all_in_force_and_the_job_goes_on(monkeypatch):
    seen = set()
    for number in range(1, 40):
        job, calls = start(), []

        def crash(work, calls=calls, number=number):
            calls.append(work)
            if len(calls) == number:
                raise Crash
            done = in_write_transaction(work)
            assert in_force() in (0, 7)
            return done

        with monkeypatch.context() as patch:
            for module in (worker, denying, pace):
                patch.setattr(module, "in_write_transaction", crash)
            try:
                work(job)
            except Crash:
                seen.add(in_force())
        Job.objects.update(lease=None, leased_until=None)
        has_crashed = len(calls) >= number

        work(job)

        assert (job.state, job.done, in_force()) == ("finished", 7, 7)
        assert DenylistEntry.objects.filter(batch=None, next_reason=None).count() == 7
        denials = AuditEvent.objects.filter(action="deny", request_id=str(job.pk))
        assert denials.count() == 7
        DenylistEntry.objects.all().delete()
        if not has_crashed:
            break
    assert not has_crashed
    assert number > 10
    assert seen == {0, 7}


@pytest.mark.parametrize("chunks", [0, 2, 4])
def test_T17_a_cancelled_import_is_taken_back_in_parts(chunks):
    deny("name", "sensor-1", reason="lent", actor=TESTER)
    before = DenylistEntry.objects.values().get()
    job = work(start(), chunks)
    assert DenylistEntry.objects.count() == max(chunks * 2, 1) - (chunks == 4)

    cancel_job(job, actor=TESTER, reason="wrong list")
    assert job.state == "cancelling"
    work_on_jobs(seconds=20)

    job.refresh_from_db()
    assert job.state == "cancelled"
    assert DenylistEntry.objects.values().get() == before
    assert not DenylistBatch.objects.exists()
    assert AuditEvent.objects.get(action="job-cancel").reason == "wrong list"
    with pytest.raises(OperatorError, match="was cancelled"):
        continue_job(job, actor=TESTER)


def test_a_cleaning_that_was_cut_off_goes_on_and_never_becomes_an_import(monkeypatch):
    job = work(start(), chunks=3)
    cancel_job(job, actor=TESTER)
    work(job, chunks=1)
    assert job.state == "cancelling"

    with monkeypatch.context() as patch:
        patch.setattr(denying.batches, "discard", lambda *_: 1 / 0)
        work(job)
    assert (job.state, job.error[:18]) == ("failed", "ZeroDivisionError.")
    continue_job(job, actor=TESTER)
    work(job)
    assert job.error == "The job was being cancelled. Cancel it again."
    assert in_force() == 0

    cancel_job(job, actor=TESTER)
    assert work(job).state == "cancelled"
    assert not DenylistEntry.objects.exists()


def test_an_import_in_force_is_not_cancelled():
    job = start()
    while not DenylistBatch.objects.exclude(in_force_at=None).exists():
        work(job, chunks=1)
    assert job.state == "running"

    with pytest.raises(OperatorError, match="The import is in force since"):
        cancel_job(job, actor=TESTER)

    job.refresh_from_db()
    assert work(job).state == "finished"
    assert not AuditEvent.objects.filter(action="job-cancel").exists()


def test_a_cancellation_comes_before_the_moment_in_force_or_is_refused():
    job = work(start(), chunks=4)
    stale = Job.objects.get(pk=job.pk)
    stale.lease = uuid.uuid4()
    Job.objects.update(lease=stale.lease, leased_until=timezone.now() + worker.LEASE)
    cancel_job(job, actor=TESTER)

    denying._finish(stale, TESTER, pace.Pace(2))  # as a worker does that looked before

    assert in_force() == 0
    assert not AuditEvent.objects.filter(action="deny-import").exists()


def test_a_late_worker_stages_nothing_and_puts_nothing_in_force():
    job = start()
    late = Job.objects.get(pk=job.pk)
    late.lease = uuid.uuid4()
    lines = list(job.lines.order_by("number")[:2])

    in_write_transaction(lambda: worker._work_together(denying.DENY_IMPORT, late, lines, TESTER))
    assert not DenylistEntry.objects.exists()
    work(job, chunks=4)
    assert DenylistEntry.objects.count() == 7
    denying._finish(late, TESTER, pace.Pace(2))

    assert in_force() == 0
    assert work(job).state == "finished"


def test_T17_a_line_that_fails_keeps_the_whole_file_out_until_it_is_repeated():
    other = work(start_import(LINES[3:4], is_replacing=False, actor=TESTER), chunks=1)
    job = work(start())

    assert (job.state, job.failed) == ("failed", 1)
    assert job.error == (
        "1 of 7 lines failed, so nothing of the file is in force. Continue the job when the causes "
        "are gone, or cancel it."
    )
    assert f"job {other.pk}" in job.lines.get(state="failed").result
    assert in_force() == 0

    work(other)
    continue_job(job, actor=TESTER)
    work(job)

    assert (job.state, job.failed, in_force()) == ("finished", 0, 7)


def test_the_same_file_again_is_the_same_job_until_it_ends():
    job = work(start(), chunks=2)

    assert start().pk == job.pk
    work(job)
    assert start().pk != job.pk


def test_T16_an_import_voids_what_is_under_way_also_after_a_crash(est_client, monkeypatch):
    est_client.simpleenroll(make_csr("sensor-6"))
    rows = IssuedCertificate.objects.for_name("sensor-6")
    rows.update(state="intent", der=None, fingerprint_sha256=None, current_name=None)
    job = start()

    def end(*_):
        raise Busy(Reason.DATABASE_UNAVAILABLE)

    with monkeypatch.context() as patch:
        patch.setattr(denying, "wait_for_intents", end)
        with pytest.raises(Busy):
            work(job)
    assert in_force() == 7
    assert rows.get().state == "intent"

    work(job)

    assert rows.get().state == "void"


def test_an_import_that_stood_still_past_the_end_of_a_line_denies_nothing_for_it():
    soon = timezone.now() + datetime.timedelta(days=1)
    (line,) = read_lines(f"kind,value,reason,expires\nname,a,r,{soon:%Y-%m-%d}\n".encode())
    job = start_import([line], is_replacing=False, actor=TESTER)
    gone = (timezone.now() - datetime.timedelta(minutes=1)).isoformat()
    row = job.lines.get()
    JobLine.objects.update(details={**row.details, "expires_at": gone})

    work(job)

    assert in_force() == 0
    assert DenylistEntry.objects.get().expires_at.isoformat() == gone


def test_import_lines_says_why_it_did_not_end():
    held = start()
    Job.objects.update(lease=uuid.uuid4(), leased_until=timezone.now() + worker.LEASE)

    with pytest.raises(OperatorError, match=f"The import is running \\(job {held.pk}\\)"):
        import_lines(LINES, actor=TESTER)


def test_the_command_leaves_the_job_to_the_schedule_or_says_what_was_done(tmp_path):
    file = tmp_path / "denied.csv"
    file.write_text("kind,value,reason\nname,a,recall\nname,b,recall\n")

    said = run("deny_import", file, "--no-wait")
    assert ": running, 0 of 2 lines" in said
    assert in_force() == 0
    work_on_jobs(seconds=20)
    assert in_force() == 2

    said = run("deny_import", file)
    assert "denylist entries: 0 new, 2 same, 0 kept, 0 changed" in said


def test_the_command_names_the_import_that_is_in_the_way(tmp_path):
    work(start(), chunks=2)
    file = tmp_path / "denied.csv"
    file.write_text("kind,value,reason\nname,sensor-1,stolen\n")

    with pytest.raises(CommandError, match="nothing of the file is in force"):
        run("deny_import", file)


# The page


IMPORT = reverse_lazy("admin:pki_denylistentry_import")
FILE = "kind,value,reason\nname,sensor-1,recall\nname,=cmd,\n"


def test_the_page_complains_of_every_wrong_line_and_starts_nothing(admin_client):
    page = admin_client.post(IMPORT, {"text": FILE})

    assert "Line 3: " in page.text
    assert "Please correct" in page.text or "It was not done." in page.text
    assert "name,=cmd" in page.text  # what was typed is kept
    assert not Job.objects.exists()


def test_the_page_shows_what_each_line_would_do_and_then_does_it(admin_client):
    deny("name", "sensor-1", reason="lent", actor=TESTER)
    file = SimpleUploadedFile("d.csv", b"kind,value,reason\nname,sensor-1,recall\nname,b,recall\n")

    page = admin_client.post(IMPORT, {"file": file, "is_dry_run": "on"})

    assert "1 new, 0 same, 1 kept, 0 changed. Nothing was written." in page.text
    assert "name,b,recall" in page.text  # to be sent again
    assert not Job.objects.exists()

    text = "kind,value,reason\nname,sensor-1,recall\nname,b,recall\n"
    page = admin_client.post(IMPORT, {"text": text, "is_replacing": "on"}, follow=True)

    job = Job.objects.get()
    assert "A job imports 2 lines." in page.text
    assert page.redirect_chain[-1][0] == reverse("admin:pki_job_change", args=[job.pk])
    work(job)
    assert DenylistEntry.objects.in_force().filter(reason="recall").count() == 2


def test_T54_only_who_may_change_entries_replaces_them_by_an_import(client):
    carol = User.objects.create_user("carol", is_staff=True)
    for name in ("add_denylistentry", "view_denylistentry", "view_job"):
        carol.user_permissions.add(Permission.objects.get(codename=name))
    client.force_login(carol)
    deny("name", "a", reason="lent", actor=TESTER)
    assert "is_replacing" not in client.get(IMPORT).text

    client.post(IMPORT, {"text": "kind,value,reason\nname,a,recall\n", "is_replacing": "on"})
    work(Job.objects.get())

    assert DenylistEntry.objects.get().reason == "lent"


@pytest.mark.parametrize("data", [{}, {"text": " "}])
def test_the_page_wants_a_file_or_its_text(admin_client, data):
    assert "Give either a file or its text." in admin_client.post(IMPORT, data).text
