"""The denylist and jobs by the API."""

import pytest

from pki.denylist.adding import entry_on_record
from pki.jobs.worker import work_on_jobs
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate, Job
from tests.estserver.api.conftest import Program
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db(transaction=True)

CSV = "kind,value,reason\nname,a,stolen\nname,b,stolen\n"


def test_an_entry_is_added_listed_tested_and_ended(operator, est_client):
    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200
    added = operator.post(
        "denylist", kind="name", value="SENSOR-1", reason="stolen", expires="2099-01-31"
    ).json()

    assert (added["outcome"], added["live_certificates"]) == ("new", 1)
    assert added["entry"]["value"] == "sensor-1"
    assert added["entry"]["ends_at"].startswith("2099-02-01T00:00:00")
    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 403
    verdict = operator.post("denylist/test", asked="sensor-1").json()
    assert verdict["is_refused"]
    assert verdict["denials"][0]["reason"] == "stolen"
    key = added["entry"]["id"]
    assert operator.get("denylist", kind="name", in_force=True).json()["results"][0]["id"] == key
    assert operator.get("denylist", in_force=False).json()["results"] == []
    assert operator.get("denylist", q="sens").json()["results"][0]["id"] == key
    assert operator.get(f"denylist/{key}").json()["reason"] == "stolen"

    ended = operator.post(f"denylist/{key}/end", reason="found again")

    assert (ended.status_code, ended.json()["outcome"]) == (200, "ended")
    assert operator.get(f"denylist/{key}").status_code == 404
    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200
    event = AuditEvent.objects.get(action="allow")
    assert (event.actor, event.reason) == ("admin:operator (token ci)", "found again")


def test_T54_adding_an_entry_that_is_there_changes_nothing_unless_told(operator):
    first = {"kind": "name", "value": "s", "reason": "stolen"}
    operator.post("denylist", **first)

    kept = operator.post("denylist", **{**first, "reason": "another"})
    same = operator.post("denylist", **first)
    changed = operator.post("denylist", **{**first, "reason": "another"}, replace=True)

    assert (kept.status_code, kept.json()["code"]) == (409, "api-refused")
    assert "'replace': true" in kept.json()["detail"]
    assert (same.status_code, same.json()["outcome"]) == (201, "same")
    assert (changed.status_code, changed.json()["outcome"]) == (201, "changed")
    assert entry_on_record("name", "s").reason == "another"


def test_an_entry_revokes_what_it_names_when_it_is_told(operator, est_client):
    est_client.simpleenroll(make_csr("sensor-1"))

    answer = operator.post("denylist", kind="name", value="sensor-1", reason="x", revoke=True)

    assert answer.json()["revoked"] == 1
    assert IssuedCertificate.objects.get(common_name="sensor-1").state == "revoked"


def test_a_file_is_imported_as_a_job_whose_lines_can_be_read(operator):
    wrong = operator.post("denylist/import", csv=CSV + "nmae,c,x\nname,a,again\n")
    dry = operator.post("denylist/import", csv=CSV, dry_run=True).json()
    job = operator.post("denylist/import", csv=CSV).json()["job"]

    assert [one["message"][:7] for one in wrong.json()["errors"]] == ["Line 4:", "Line 5:"]
    assert dry["outcomes"] == {"new": 2}
    assert [line["line"] for line in dry["lines"]] == [2, 3]
    assert not DenylistEntry.objects.filter(value="a").on_list().exists()
    work_on_jobs(seconds=20)
    assert operator.get(f"jobs/{job}").json()["state"] == "finished"
    first = operator.get(f"jobs/{job}/lines", limit=1).json()
    second = operator.get(f"jobs/{job}/lines", limit=1, cursor=first["next_cursor"]).json()
    lines = [*first["results"], *second["results"]]
    assert [(line["number"], line["result"]) for line in lines] == [(1, "new"), (2, "new")]
    assert operator.get("jobs", state="finished", kind="deny-import").json()["results"]
    assert operator.get("jobs", state="running").json()["results"] == []


def test_a_job_is_cancelled_and_what_cannot_be_is_refused(operator):
    job = operator.post("denylist/import", csv=CSV).json()["job"]

    assert operator.post(f"jobs/{job}/cancel", reason="x", dry_run=True).status_code == 200
    assert Job.objects.get().state == "running"
    assert operator.post(f"jobs/{job}/continue", dry_run=True).status_code == 409
    assert operator.post(f"jobs/{job}/cancel").status_code == 400
    cancelled = operator.post(f"jobs/{job}/cancel", reason="a mistake")
    again = operator.post(f"jobs/{job}/cancel", reason="a mistake")

    assert (cancelled.status_code, again.status_code) == (200, 409)
    assert AuditEvent.objects.get(action="job-cancel").reason == "a mistake"
    assert operator.post(f"jobs/{job}/continue").status_code == 409


def test_an_export_is_downloaded_when_its_job_is_finished(operator, est_client):
    est_client.simpleenroll(make_csr("sensor-1"))
    job = operator.post("certificates/export", form="csv").json()["job"]
    work_on_jobs(seconds=20)

    answer = operator.get(f"jobs/{job}/file")

    assert b"sensor-1" in answer.getvalue()
    assert answer["Content-Disposition"] == 'attachment; filename="certificates.csv"'


def test_T121_each_call_asks_the_permission_of_its_page(program):
    auditor = program("Auditor", name="audit")
    viewer = program("Viewer")
    operator = program("Operator")
    entry = operator.post("denylist", kind="name", value="s", reason="x").json()["entry"]["id"]

    refused = [
        auditor.get("certificates"),
        auditor.get("jobs"),
        viewer.get("audit"),
        viewer.post("denylist", kind="name", value="t", reason="x"),
        viewer.post(f"denylist/{entry}/end", reason="x"),
        viewer.post("certificates/revoke", reason="superseded", filter={"q": "a"}, dry_run=True),
        operator.send("patch", "profiles/default", {"settings": {}, "reason": "x"}),
        operator.send("put", "documents/policy", {"body": "{}", "reason": "x"}),
        operator.post("documents/template/push"),
    ]

    assert [answer.status_code for answer in refused] == [403] * len(refused)
    assert auditor.get("audit").status_code == 200
    assert viewer.get("certificates").status_code == 200
    assert isinstance(auditor, Program)
