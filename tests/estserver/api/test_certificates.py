"""Certificates by the API: list, files, revoke one and all that match."""

import pytest
from cryptography import x509
from django.contrib.auth import get_user_model

from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate, Job
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def fleet(est_client):
    """Five devices with a certificate each."""
    for number in range(5):
        csr = make_csr(f"device-{number}", key=make_key(index=number))
        assert est_client.simpleenroll(csr).status_code == 200
    return list(IssuedCertificate.objects.exclude(operation="client").order_by("pk"))


def test_pages_follow_each_other_and_name_each_certificate_once(operator, fleet):
    first = operator.get("certificates", limit=4).json()
    second = operator.get("certificates", limit=4, cursor=first["next_cursor"]).json()

    names = [row["common_name"] for row in (*first["results"], *second["results"])]
    every = IssuedCertificate.objects.order_by("-pk").values_list("common_name", flat=True)
    assert names == list(every)
    assert second["next_cursor"] is None


def test_a_cursor_of_a_list_with_other_filters_is_refused(operator, fleet):
    cursor = operator.get("certificates", limit=1).json()["next_cursor"]

    answers = [
        operator.get("certificates", limit=1, cursor=cursor, status="active"),
        operator.get("jobs", cursor=cursor),
        operator.get("certificates", cursor="%%%"),
        operator.get("certificates", cursor="W10"),
    ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert {answer.json()["errors"][0]["field"] for answer in answers} == {"cursor"}


COUNTS = (
    ({"q": "device-3"}, 1),
    ({"q": "device-"}, 5),
    ({"status": "active"}, 6),
    ({"status": "revoked"}, 0),
    ({"operation": "enroll"}, 5),
    ({"profile": "default"}, 5),
    ({"made": "today"}, 6),
    ({"made": "today", "q": "device-1"}, 1),
    ({"ends_from": "2000-01-01"}, 6),
    ({"ends_to": "2000-01-01"}, 0),
    ({"address": "192.0.2.1"}, 0),
)


def test_the_filters_are_those_of_the_console(operator, fleet):
    for filters, count in COUNTS:
        answer = operator.get("certificates", **filters)

        assert answer.status_code == 200, answer.content
        assert len(answer.json()["results"]) == count, filters
    ca = CertificateAuthority.objects.device().get().name
    assert len(operator.get("certificates", ca=ca).json()["results"]) == 5


WRONG = (
    ({"status": "activ"}, "status"),
    ({"ca": "nobody"}, "ca"),
    ({"profile": "nobody"}, "profile"),
    ({"address": "nowhere"}, "address"),
    ({"client": "12"}, "client"),
    ({"ends_from": "2000-13-01"}, "ends_from"),
    ({"limit": "1001"}, "limit"),
    ({"limit": "0"}, "limit"),
    ({"stauts": "active"}, "stauts"),
    ({"status": ["active", "revoked"]}, "status"),
)


def test_a_wrong_filter_is_named_and_leaves_no_rows(operator, fleet):
    for filters, field in WRONG:
        answer = operator.get("certificates", **filters)

        assert answer.status_code == 400
        assert answer["Content-Type"] == "application/problem+json"
        (error,) = answer.json()["errors"]
        assert error["field"] == field
        assert error["message"][-1] in ".?"


def test_one_certificate_is_found_by_id_serial_number_and_digest(operator, fleet):
    row = fleet[0]

    for name in (row.pk, row.serial_number, row.fingerprint_sha256):
        found = operator.get(f"certificates/{name}").json()
        assert found["id"] == str(row.pk)
    assert operator.get("certificates/0123456789abcdef").status_code == 404


def test_a_certificate_is_downloaded_in_each_form(operator, fleet):
    number = fleet[0].serial_number
    files = {}
    for form in ("pem", "der", "chain", "pkcs7", "csr"):
        answer = operator.get(f"certificates/{number}/file/{form}")
        assert answer.status_code == 200
        assert "attachment" in answer["Content-Disposition"]
        files[form] = answer.content

    assert x509.load_der_x509_certificate(files["der"]).serial_number == int(number, 16)
    assert files["chain"].count(b"BEGIN CERTIFICATE") > 1
    assert operator.get(f"certificates/{number}/file/p12").status_code == 404


def test_a_revocation_is_on_the_trail_with_person_token_and_request(operator, fleet):
    row = fleet[0]

    dry = operator.post(f"certificates/{row.pk}/revoke", reason="superseded", dry_run=True)
    assert (dry.status_code, dry.json()["outcome"]) == (200, "would-revoke")
    row.refresh_from_db()
    assert row.state == "issued"

    done = operator.post(f"certificates/{row.pk}/revoke", reason="superseded", comment="test")

    assert (done.status_code, done.json()["outcome"]) == (200, "revoked")
    row.refresh_from_db()
    assert row.state == "revoked"
    event = AuditEvent.objects.get(action="revoke")
    assert event.actor == "admin:operator (token ci)"
    assert event.reason == "superseded: test"
    assert event.request_id == done["X-Request-Id"]
    assert event.source_ip == "127.0.0.1"


def test_everything_that_a_filter_leaves_is_revoked_only_in_the_number_that_was_said(
    operator, fleet
):
    asked = {"filter": {"q": "device-"}, "reason": "cessationOfOperation"}

    assert operator.post("certificates/revoke", **{**asked, "filter": {}}).status_code == 400
    assert operator.post("certificates/revoke", **asked).status_code == 400
    count = operator.post("certificates/revoke", **asked, dry_run=True).json()["count"]
    wrong = operator.post("certificates/revoke", **asked, expected=count + 1)
    started = operator.post("certificates/revoke", **asked, expected=count)

    assert count == 5
    assert (wrong.status_code, wrong.json()["code"]) == (409, "api-refused")
    assert started.status_code == 202
    job = Job.objects.get()
    assert (str(job.pk), job.total) == (started.json()["job"], 5)
    assert operator.get(f"jobs/{job.pk}/lines").json()["results"][4]["number"] == 5


def test_an_export_is_a_job(operator, fleet):
    answer = operator.post("certificates/export", form="csv", filter={"status": "active"})

    assert answer.status_code == 202
    job = answer.json()["job"]
    assert operator.get(f"jobs/{job}").json()["kind"] == "export"
    assert operator.get(f"jobs/{job}/file").status_code == 404


def test_a_day_that_no_row_can_have_is_refused_on_the_page_and_by_the_api(program, fleet, client):
    officer = program("CA officer")
    for first in ("0494-02-14", "9999-12-31"):
        answers = [
            officer.get("certificates", ends_to=first),
            officer.get("audit", to=first, actor="x"),
            officer.get("audit", **{"from": first}),
        ]
        assert [answer.status_code for answer in answers] == [400] * 3
        assert "from 1970 to 9998" in answers[0].json()["errors"][0]["message"]
    client.force_login(get_user_model().objects.get(username="ca-officer"))
    page = client.get("/admin/pki/auditevent/?to=0494-02-14&actor=x")
    assert page.status_code == 200
    assert "from 1970 to 9998" in page.content.decode()


def test_the_last_page_may_be_full(operator, fleet):
    whole = operator.get("certificates", limit=6).json()

    assert (len(whole["results"]), whole["next_cursor"]) == (6, None)


def test_no_certificate_is_left_out_between_pages_where_many_end_at_the_same_time(operator, fleet):
    IssuedCertificate.objects.update(not_after=fleet[0].not_after)
    found, cursor = [], ""
    while cursor is not None:
        page = operator.get("certificates", ends_from="2000-01-01", limit=2, cursor=cursor).json()
        found += [row["id"] for row in page["results"]]
        cursor = page["next_cursor"]

    assert found == [str(row.pk) for row in IssuedCertificate.objects.order_by("pk")]
