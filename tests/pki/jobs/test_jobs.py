"""A job is worked on in chunks, ends once, and goes on after whatever interrupted it."""

import datetime
import uuid
from itertools import count

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models import F
from django.urls import reverse
from django.utils import timezone

from estserver.operations import schedule
from estserver.operations.minutely_rule import is_idle
from pki.exceptions import Busy
from pki.jobs import kinds, registry, worker
from pki.jobs.kinds import CHUNK
from pki.jobs.lifecycle import MOST_LINES, cancel_job, continue_job, start_job
from pki.jobs.worker import next_job_due, work_on_job, work_on_jobs
from pki.models import AuditEvent, IssuedCertificate, Job, JobLine
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.record import due_work
from tests.conftest import TESTER
from tests.pki.management.test_commands import run
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)

REVOKE = {"reason": "superseded", "comment": ""}
done = []
behaviour = {}


def _work(subject, parameters, actor):
    if subject in behaviour:
        behaviour[subject]()
    done.append(subject)
    return f"did {subject}"


KIND = kinds.JobKind(name="note", check=lambda parameters: None, work=_work)


@pytest.fixture(autouse=True)
def note(installation):
    """A kind that notes its subjects, and does for some what ``behaviour`` says first."""
    done.clear()
    behaviour.clear()
    registry.register("note", f"{__name__}.KIND")
    yield
    registry.unregister("note")


def start(count=60, **options):
    subjects = [f"s{number}" for number in range(1, count + 1)]
    return start_job("note", subjects, parameters={}, actor=TESTER, **options)


def work(job, chunks=1000):
    turns = iter([True] * (chunks + 1))
    work_on_job(job.pk, may_go_on=lambda: next(turns, False))
    job.refresh_from_db()
    return job


def raiser(error):
    def fail():
        raise error

    return fail


def test_a_job_does_each_line_once_and_says_what_came_of_it():
    job = work(start(CHUNK * 2))

    assert done == [f"s{number}" for number in range(1, CHUNK * 2 + 1)]
    assert (job.state, job.done, job.failed) == ("finished", CHUNK * 2, 0)
    assert job.lines.get(number=3).result == "did s3"
    finish = AuditEvent.objects.get(action="job-finish")
    assert (finish.actor, finish.after["done"]) == (TESTER.name, CHUNK * 2)
    assert AuditEvent.objects.get(action="job-start").target == f"job:{job.pk}"


def test_a_job_goes_on_where_the_time_was_over():
    job = work(start(), chunks=1)
    assert (job.state, job.done, job.lease) == ("running", CHUNK, None)

    work(job)

    assert len(done) == len(set(done)) == 60
    assert job.state == "finished"


def test_cancel_takes_effect_between_chunks_and_what_was_done_stays():
    job = start()
    behaviour["s3"] = lambda: cancel_job(job, actor=TESTER, reason="wrong list")

    work(job)

    assert (job.state, job.done) == ("cancelled", CHUNK)
    assert len(done) == CHUNK
    assert AuditEvent.objects.get(action="job-cancel").reason == "wrong list"
    assert not AuditEvent.objects.filter(action="job-finish").exists()
    with pytest.raises(OperatorError, match="has ended already"):
        cancel_job(job, actor=TESTER)


def test_a_line_that_is_refused_fails_alone_and_can_be_repeated():
    behaviour["s2"] = raiser(OperatorError("No such thing."))
    job = work(start(4))
    assert (job.state, job.done, job.failed) == ("finished", 3, 1)
    assert job.lines.get(state="failed").result == "No such thing."

    behaviour.clear()
    continue_job(job, actor=TESTER)
    work(job)

    assert (job.state, job.done, job.failed) == ("finished", 4, 0)
    assert done == ["s1", "s3", "s4", "s2"]


def test_a_bug_stops_the_job_at_its_line_and_it_can_be_continued():
    behaviour["s2"] = raiser(ZeroDivisionError())
    job = work(start(3))
    assert (job.state, job.done) == ("failed", 1)
    assert job.error.startswith("Line 2: ZeroDivisionError.")

    behaviour.clear()
    continue_job(job, actor=TESTER)
    work(job)

    assert done == ["s1", "s2", "s3"]
    assert (job.state, job.done, job.error) == ("finished", 3, "")


@pytest.mark.parametrize("error", [Busy(Reason.DATABASE_UNAVAILABLE), KeyboardInterrupt()])
def test_after_an_interruption_the_job_is_due_at_the_line_that_was_interrupted(error):
    job = start(3)
    behaviour["s2"] = raiser(error)
    with pytest.raises(type(error)):
        work(job)
    job.refresh_from_db()
    assert (job.state, job.done, job.lease) == ("running", 1, None)

    behaviour.clear()
    work(job)

    assert done == ["s1", "s2", "s3"]


def test_two_workers_do_not_hold_one_job_until_the_lease_runs_out():
    job = start(3)
    Job.objects.update(lease=uuid.uuid4(), leased_until=timezone.now() + worker.LEASE)
    assert work_on_jobs(seconds=5) == 0
    assert next_job_due() > timezone.now()

    Job.objects.update(leased_until=timezone.now() - datetime.timedelta(seconds=1))
    work(job)

    assert job.state == "finished"


def test_a_late_worker_counts_no_line_twice_and_ends_nothing():
    job = start(3)

    def other_worker():
        behaviour.clear()
        Job.objects.update(lease=None, leased_until=None)
        work_on_job(job.pk, may_go_on=lambda: True)

    behaviour["s2"] = other_worker

    work(job)

    assert (job.state, job.done) == ("finished", 3)
    assert AuditEvent.objects.filter(action="job-finish").count() == 1


def test_jobs_take_turns_so_that_a_long_one_does_not_hold_up_those_after_it(monkeypatch):
    monkeypatch.setattr(worker, "TURN_SECONDS", 0)  # a chunk a turn
    asked = count(1)
    monkeypatch.setattr(worker, "_is_before", lambda until: next(asked) % 3 != 0)
    long = start(CHUNK * 4)
    short = start_job("note", ["t1"], parameters={}, actor=TESTER)
    seen = []
    behaviour["t1"] = lambda: seen.append(len(done))

    work_on_jobs(seconds=20)

    long.refresh_from_db()
    short.refresh_from_db()
    assert seen == [CHUNK]
    assert (long.state, short.state) == ("finished", "finished")


def test_the_next_run_begins_with_the_job_that_has_waited_longest():
    first, second = start(CHUNK * 2), start_job("note", ["t1"], parameters={}, actor=TESTER)
    work(first, chunks=1)

    due = Job.objects.due(timezone.now())
    order = due.order_by(F("last_turn_at").asc(nulls_first=True), "created_at")
    assert [row.pk for row in order] == [second.pk, first.pk]
    done.clear()
    work_on_jobs(seconds=20)

    assert done[0] == "t1"


def test_slow_lines_end_a_chunk_early_so_that_the_lease_is_renewed_between_them(monkeypatch):
    monkeypatch.setattr(worker, "CHUNK_SECONDS", 0)
    monkeypatch.setattr(worker, "RENEWAL", datetime.timedelta(0))
    leases = []
    for number in (1, 2, 3):
        behaviour[f"s{number}"] = lambda: leases.append(Job.objects.get().leased_until)

    job = work(start(3))

    assert (job.state, job.done) == ("finished", 3)
    assert leases == sorted(set(leases))
    assert len(leases) == 3


def test_a_job_that_its_worker_lost_is_left_to_the_other(monkeypatch):
    job = start(CHUNK * 2)
    other = uuid.uuid4()
    until = timezone.now() + worker.LEASE
    behaviour["s1"] = lambda: Job.objects.update(lease=other, leased_until=until)

    work(job)

    assert (job.state, job.done, job.lease) == ("running", CHUNK, other)


def test_a_repeated_request_returns_the_open_job_and_a_new_one_after_its_end():
    job = start(3)
    assert start(3).pk == job.pk
    work(job)

    assert start(3).pk != job.pk


def test_nothing_is_done_before_all_lines_are_there_and_the_same_request_adds_them():
    job = start(5)
    Job.objects.update(state="preparing")
    JobLine.objects.filter(number__gt=2).delete()
    assert work_on_jobs(seconds=5) == 0

    again = start(5)

    assert again.pk == job.pk
    assert work(again).done == 5


@pytest.mark.parametrize(
    ("kind", "subjects", "parameters", "said"),
    [
        ("erase", ["s"], {}, "is not a kind of job"),
        ("note", [], {}, "has no lines"),
        ("note", ["s" * 201], {}, "Line 1 has 201 characters"),
        ("note", [f"{n}" for n in range(MOST_LINES + 1)], {}, "more than 100000 lines"),
        ("revoke", ["s"], {"reason": "stolen", "comment": ""}, "is not a reason of RFC 5280"),
    ],
)
def test_what_no_worker_could_do_is_refused_at_once(kind, subjects, parameters, said):
    with pytest.raises(OperatorError, match=said):
        start_job(kind, subjects, parameters=parameters, actor=TESTER)

    assert not Job.objects.exists()


def test_a_job_is_due_work_that_wakes_the_schedule_which_works_on_it():
    told = []
    listener = told.append
    due_work.register(listener)
    try:
        job = start(3)
    finally:
        due_work.unregister(listener)
    assert told
    assert not is_idle()

    schedule.every_minute({}, None)

    job.refresh_from_db()
    assert job.state == "finished"
    assert next_job_due() is None


# Revocation


@pytest.fixture
def devices(est_client):
    """The rows of three devices' certificates."""
    for index in range(3):
        est_client.simpleenroll(make_csr(f"sensor-{index}", key=make_key(index=index)))
    return list(IssuedCertificate.objects.filter(common_name__startswith="sensor-"))


def test_each_certificate_of_a_job_is_revoked_with_an_audit_row_of_its_own(devices):
    names = [row.fingerprint_sha256 for row in devices]
    job = work(start_job("revoke", [*names, "abcdef"], parameters=REVOKE, actor=TESTER))

    for row in devices:
        row.refresh_from_db()
    assert {row.state for row in devices} == {"revoked"}
    assert AuditEvent.objects.filter(action="revoke", request_id=str(job.pk)).count() == 3
    assert "No certificate 'abcdef'" in job.lines.get(state="failed").result


def test_the_command_revokes_a_file_and_lists_what_failed(devices, tmp_path, capsys):
    file = tmp_path / "serials.txt"
    file.write_text(f"{devices[0].serial_number}\n\nabcdef\n")

    with pytest.raises(CommandError, match="1 of 2 lines failed") as caught:
        call_command("revoke_list", file, "--reason", "superseded", "--yes")
    said = capsys.readouterr().out

    assert caught.value.returncode == 1
    assert "--continue repeats those that failed" in str(caught.value)
    assert "line 2: abcdef: No certificate 'abcdef' is on record" in said
    assert said.endswith(": finished, 2 of 2 lines, 1 failed\n")
    devices[0].refresh_from_db()
    assert devices[0].state == "revoked"
    assert "revoke finished, 2 of 2 lines, 1 failed" in run("jobs")


def test_without_waiting_the_command_leaves_the_job_which_another_cancels(devices, tmp_path):
    file = tmp_path / "serials.txt"
    file.write_text(devices[0].serial_number)
    arguments = ("revoke_list", file, "--reason=superseded", "--no-wait")
    with pytest.raises(CommandError, match="Add --yes"):
        run(*arguments)
    assert "running, 0 of 1 lines" in run(*arguments, "--yes")
    job = Job.objects.get()

    assert "cancelled, 0 of 1 lines" in run("jobs", job.pk, "--cancel")

    with pytest.raises(CommandError, match="was cancelled"):
        run("jobs", job.pk, "--continue")


# Pages


@pytest.fixture
def alice(client):
    """A browser in which the superuser alice is signed in."""
    client.force_login(User.objects.create_superuser("alice"))
    return client


def test_the_page_of_an_open_job_refreshes_itself_and_cancels(alice):
    job = start(3)
    url = reverse("admin:pki_job_change", args=[job.pk])
    response = alice.get(url)
    assert response["Refresh"] == "5"
    assert "0 of 3 lines" in response.text

    alice.post(reverse("admin:pki_job_cancel", args=[job.pk]), {"reason": "wrong list"})

    job.refresh_from_db()
    assert job.state == "cancelled"
    assert "Refresh" not in alice.get(url)


def test_results_are_downloaded_without_formulas(alice):
    job = start_job("note", ["=cmd"], parameters={}, actor=TESTER)
    work(job)

    text = alice.get(reverse("admin:pki_job_download", args=[job.pk, "results"])).text

    assert text.splitlines()[1] == "1,'=cmd,done,did =cmd"


def test_more_than_a_chunk_of_selected_certificates_is_a_job(alice, devices, monkeypatch):
    monkeypatch.setattr("pki.admin.certificate_operations.CHUNK", 2)
    chosen = {"action": "revoke_selected", "_selected_action": [str(row.pk) for row in devices]}
    form = {"confirmed": "yes", "reason": "superseded", "comment": "", "count": "3"}

    response = alice.post(reverse("admin:pki_issuedcertificate_changelist"), chosen | form)

    job = Job.objects.get()
    assert response["Location"] == reverse("admin:pki_job_change", args=[job.pk])
    assert not IssuedCertificate.objects.filter(state="revoked").exists()
    assert work(job).done == 3
