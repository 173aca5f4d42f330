"""Certificates of a filter are exported by a job, whose file is kept in parts."""

import csv
import datetime
import io

import pytest
from cryptography import x509
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError
from django.urls import reverse
from django.utils import timezone

from pki.jobs import exporting
from pki.jobs.exporting import file_of, pieces_of, start_export
from pki.jobs.lifecycle import cancel_job
from pki.jobs.worker import work_on_job, work_on_jobs
from pki.models import IssuedCertificate, Job, JobPart
from pki.operators.errors import OperatorError
from tests.conftest import TESTER
from tests.pki.management.test_commands import run
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)

URL = "admin:pki_issuedcertificate_export-matching"


@pytest.fixture
def fleet(est_client, monkeypatch):
    """Five pumps and a valve; two certificates to a part, two parts to a piece."""
    monkeypatch.setattr(exporting, "TOGETHER", 2)
    monkeypatch.setattr(exporting, "PARTS_OF_PIECE", 2)
    monkeypatch.setattr(exporting, "DELETED_TOGETHER", 1)
    names = [*(f"pump-{index}" for index in range(5)), "valve-1"]
    for index, name in enumerate(names):
        assert est_client.simpleenroll(make_csr(name, key=make_key(index=index))).certificate
    return IssuedCertificate.objects.filter(common_name__startswith="pump")


def work(job, chunks=1000):
    turns = iter([True] * (chunks + 1))
    work_on_job(job.pk, may_go_on=lambda: next(turns, False))
    job.refresh_from_db()
    return job


def names_in(text):
    return [row["common_name"] for row in csv.DictReader(io.StringIO(text))]


PUMPS = [f"pump-{index}" for index in range(5)]


def test_the_file_has_every_certificate_in_order_and_each_piece_a_header(fleet):
    job = work(start_export(fleet, form="csv", actor=TESTER))

    assert (job.state, job.total, job.done) == ("finished", 3, 3)
    assert names_in("".join(file_of(job))) == PUMPS
    assert pieces_of(job) == 2
    pieces = [names_in("".join(file_of(job, piece=piece))) for piece in (0, 1)]
    assert pieces == [PUMPS[:4], PUMPS[4:]]


def test_a_pem_file_has_the_certificates_themselves(fleet):
    job = work(start_export(fleet, form="pem", actor=TESTER))

    found = x509.load_pem_x509_certificates("".join(file_of(job)).encode())

    assert [f"{one.serial_number:x}" for one in found] == list(
        fleet.order_by("created_at").values_list("serial_number", flat=True)
    )


def test_T06_no_cell_of_the_file_is_a_formula(fleet):
    IssuedCertificate.objects.filter(common_name="pump-1").update(common_name="=cmd|x")

    job = work(start_export(IssuedCertificate.objects.all(), form="csv", actor=TESTER))

    assert "'=cmd|x" in names_in("".join(file_of(job)))


@pytest.mark.parametrize("chunks", [1, 2])
def test_an_export_that_was_cut_off_goes_on_and_has_each_certificate_once(fleet, chunks):
    job = work(start_export(fleet, form="csv", actor=TESTER), chunks)
    assert job.state == "running"
    with pytest.raises(OperatorError, match="has no file"):
        file_of(job)

    work(job)

    assert names_in("".join(file_of(job))) == PUMPS


def test_a_cancelled_export_leaves_no_part(fleet):
    job = work(start_export(fleet, form="csv", actor=TESTER), chunks=2)
    assert JobPart.objects.count() == 2
    cancel_job(job, actor=TESTER)

    work_on_jobs(seconds=20)

    job.refresh_from_db()
    assert job.state == "cancelled"
    assert not JobPart.objects.exists()


def test_the_next_export_removes_files_that_are_older_than_a_week(fleet):
    old = work(start_export(fleet, form="csv", actor=TESTER))
    young = work(start_export(fleet, form="pem", actor=TESTER))
    Job.objects.filter(pk=old.pk).update(ended_at=timezone.now() - datetime.timedelta(days=8))

    start_export(fleet, form="csv", actor=TESTER)

    assert {*JobPart.objects.values_list("job", flat=True)} == {young.pk}


def test_what_is_not_a_form_and_nothing_at_all_are_refused(fleet):
    with pytest.raises(OperatorError, match="'xls' is not a form of a file"):
        start_export(fleet, form="xls", actor=TESTER)
    with pytest.raises(OperatorError, match="has no lines"):
        start_export(fleet.none(), form="csv", actor=TESTER)


def test_the_command_writes_the_file_or_fetches_it_later(fleet, tmp_path):
    out, later = tmp_path / "pumps.csv", tmp_path / "later.csv"
    said = run("export_certificates", "--filter", "q=pump", "--out", out)
    assert said.endswith(f"{out} is written\n")
    assert names_in(out.read_text()) == PUMPS

    run("export_certificates", "--filter", "q=pump", "--no-wait")
    job = Job.objects.order_by("-created_at").first()
    with pytest.raises(CommandError, match="has no file"):
        run("jobs", job.pk, "--save", later)
    work(job)
    run("jobs", job.pk, "--save", later)
    assert later.read_bytes() == out.read_bytes()

    for arguments, wanted in (
        (("--out", out), "exists. Name a file that does not."),
        ((), "No file is named."),
    ):
        with pytest.raises(CommandError, match=wanted):
            run("export_certificates", "--filter", "q=pump", *arguments)
    with pytest.raises(CommandError, match="cannot be written: File exists"):
        run("jobs", job.pk, "--save", later)


def test_the_page_starts_it_and_its_job_offers_the_file_and_its_pieces(fleet, admin_client):
    admin_client.post(reverse(URL) + "?q=pump", {"form": "csv"})
    job = Job.objects.get()
    page = reverse("admin:pki_job_change", args=[job.pk])
    url = reverse("admin:pki_job_file", args=[job.pk])
    assert url not in admin_client.get(page).text
    assert admin_client.get(url).status_code == 404
    work(job)

    shown = admin_client.get(page).text
    assert f'href="{url}"' in shown
    assert f'href="{url}?piece=1"' in shown
    response = admin_client.get(url, {"piece": "1"})
    assert names_in(response.getvalue().decode()) == PUMPS[4:]
    assert response["Content-Disposition"] == 'attachment; filename="certificates_2.csv"'
    for piece in ("2", "x", "-1", "9" * 30):
        assert admin_client.get(url, {"piece": piece}).status_code == 404


def test_a_job_shows_no_certificates_to_who_may_not_see_them(fleet, client):
    job = work(start_export(fleet, form="csv", actor=TESTER))
    carol = User.objects.create_user("carol", is_staff=True)
    carol.user_permissions.add(Permission.objects.get(codename="view_job"))
    client.force_login(carol)

    assert client.get(reverse("admin:pki_job_file", args=[job.pk])).status_code == 403
