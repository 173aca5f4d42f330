"""What holds for every call: problem documents, repeated requests, versions, the rate, imports."""

import json
import subprocess
import sys

import pytest
from django.db import OperationalError
from django.urls import get_resolver

from estserver.api import idempotency
from estserver.api.problems import as_refusal, field_errors
from estserver.api.views import denylist as denylist_views
from estserver.models import IdempotencyKey
from estserver.operations.idempotency_keys import KEPT, remove_old_keys
from pki.models import AuditEvent, DenylistEntry
from pki.operators.errors import RemoteFailure

pytestmark = pytest.mark.django_db(transaction=True)

ENTRY = {"kind": "name", "value": "sensor-1", "reason": "stolen"}


def test_each_failure_is_a_problem_document_with_a_code_and_the_request_id(operator):
    client, headers = operator.client, operator.headers
    form = client.post("/api/v1/denylist", ENTRY, headers=headers)
    broken = client.post("/api/v1/denylist", b"{", content_type="application/json", headers=headers)
    answers = {
        "api-not-found": operator.get("nothing/here"),
        "api-method-not-allowed": operator.send("put", "denylist", {}),
        "api-media-type-wrong": form,
        "api-body-not-json": broken,
        "api-input-invalid": operator.post("denylist", kind="nmae", value="x"),
    }

    for code, answer in answers.items():
        said = answer.json()
        assert said["code"] == code
        assert answer["Content-Type"] == "application/problem+json"
        assert answer["Cache-Control"] == "no-store"
        assert said["request_id"] == answer["X-Request-Id"]
        assert said["status"] == answer.status_code
    assert answers["api-method-not-allowed"]["Allow"] == "GET, HEAD, POST"
    fields = {one["field"]: one["message"] for one in answers["api-input-invalid"].json()["errors"]}
    assert fields["kind"].startswith("Found 'nmae', wanted one of: name, ")
    assert set(fields) == {"kind", "reason"}


def test_a_bug_says_nothing_of_itself_and_a_database_that_is_out_is_a_503(operator, monkeypatch):
    def fail(error):
        def raise_it(*arguments, **more):
            raise error

        monkeypatch.setattr(denylist_views, "deny", raise_it)
        return operator.post("denylist", **ENTRY)

    bug, out = fail(KeyError("a secret")), fail(OperationalError("no connection"))

    assert (bug.status_code, bug.json()["code"]) == (500, "api-internal-error")
    assert "secret" not in bug.content.decode()
    assert (out.status_code, out.json()["code"]) == (503, "database-unavailable")
    assert out["Retry-After"] == "1"


def test_T122_a_request_that_is_sent_again_gets_the_first_answer_and_does_nothing(operator):
    first = operator.post("denylist", key="k-1", **ENTRY)
    DenylistEntry.objects.all().delete()
    second = operator.post("denylist", key="k-1", **ENTRY)

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second["Idempotency-Replayed"] == "true"
    assert not DenylistEntry.objects.exists()


def test_T122_a_key_with_another_body_or_path_is_refused(operator, officer):
    operator.post("denylist", key="k-1", **ENTRY)

    other = [
        operator.post("denylist", key="k-1", **{**ENTRY, "value": "sensor-2"}),
        operator.post("denylist/import", key="k-1", **ENTRY),
    ]

    assert [answer.status_code for answer in other] == [422, 422]
    assert officer.post("denylist", key="k-1", **{**ENTRY, "value": "s-3"}).status_code == 201
    assert operator.post("denylist", key="", **ENTRY).status_code == 201  # no header at all
    assert operator.send("post", "denylist", ENTRY, **{"Idempotency-Key": " "}).status_code == 400


def test_T122_a_request_whose_outcome_is_unknown_is_not_carried_out_again(operator, monkeypatch):
    def dies(row, answer):
        raise SystemExit

    monkeypatch.setattr(idempotency, "finish", dies)
    with pytest.raises(SystemExit):
        operator.post("denylist", key="k-1", **ENTRY)
    monkeypatch.undo()
    DenylistEntry.objects.all().delete()

    again = operator.post("denylist", key="k-1", **ENTRY)

    assert (again.status_code, again.json()["code"]) == (409, "api-request-under-way")
    assert not DenylistEntry.objects.exists()


def test_T122_a_refusal_is_kept_too_and_a_wrong_field_is_not(operator):
    wrong = operator.post("denylist", key="k-1", kind="name", value="sensor-1")
    operator.post("denylist", **ENTRY)
    kept = operator.post("denylist", key="k-1", **{**ENTRY, "reason": "another"})
    DenylistEntry.objects.all().delete()
    again = operator.post("denylist", key="k-1", **{**ENTRY, "reason": "another"})

    assert [wrong.status_code, kept.status_code, again.status_code] == [400, 409, 409]
    assert not DenylistEntry.objects.exists()


def test_keys_are_forgotten_after_a_day(operator):
    operator.post("denylist", key="k-1", **ENTRY)
    row = IdempotencyKey.objects.get()
    IdempotencyKey.objects.update(created_at=row.created_at - KEPT)

    assert operator.post("denylist", key="k-1", **{**ENTRY, "value": "s-2"}).status_code == 201

    IdempotencyKey.objects.update(created_at=row.created_at - KEPT)
    remove_old_keys()
    assert not IdempotencyKey.objects.exists()


def test_a_dry_run_does_nothing_and_is_not_kept(operator):
    said = operator.post("denylist", key="k-1", dry_run=True, **ENTRY)

    assert (said.status_code, said.json()["outcome"], said.json()["dry_run"]) == (200, "new", True)
    assert not DenylistEntry.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert not AuditEvent.objects.filter(action="deny").exists()


def test_a_token_that_asks_too_often_is_told_when_to_come_back(operator, settings):
    settings.API_REQUESTS_PER_MINUTE = 3

    statuses = [operator.get("token").status_code for _ in range(4)]
    refused = operator.get("token")

    assert statuses == [200, 200, 200, 429]
    assert refused.json()["code"] == "api-too-many-requests"
    assert 0 < int(refused["Retry-After"]) <= 61


def test_a_body_that_is_too_large_is_refused(operator, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

    answer = operator.post("denylist", **{**ENTRY, "reason": "x" * 200})

    assert (answer.status_code, answer.json()["code"]) == (413, "api-body-too-large")


def test_the_device_side_does_not_have_the_api():
    def routes(resolver):
        for each in resolver.url_patterns:
            yield from routes(each) if hasattr(each, "url_patterns") else [each]

    doors = {str(one.name) for one in routes(get_resolver("estserver.urls.est"))}
    assert not doors & {"denylist", "certificates", "no_such_address"}


SCRIPT = """
import sys, django
django.setup()
from django.urls import get_resolver, reverse
assert reverse("api:denylist") == "/api/v1/denylist"
heavy = ("rest_framework.views", "rest_framework.serializers", "drf_spectacular")
print([name for name in heavy if name in sys.modules])
"""


def test_a_start_that_answers_no_call_of_the_api_does_not_load_it(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={
            "DJANGO_SETTINGS_MODULE": "estserver.settings.admin",
            "EST_DATA_DIR": str(tmp_path),
            "PYTHONPATH": ".",
            "PATH": "",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "[]"
    assert json.loads(done.stdout.replace("'", '"')) == []


def test_the_product_does_not_import_the_generator_of_its_openapi():
    from estserver.config import PROJECT_ROOT

    named = [
        path
        for room in ("estserver", "iotprov", "pki")
        for path in (PROJECT_ROOT / room).rglob("*.py")
        if "drf_spectacular" in path.read_text(encoding="utf-8")
    ]
    assert not named


def test_T122_a_key_has_at_most_255_visible_characters_of_ascii(operator):
    def status(key):
        return operator.post("denylist", key=key, dry_run=True, **ENTRY).status_code

    assert status("k" * 255) == 200
    assert [status(key) for key in ("k" * 256, "k\x7f", "kl\u00e9")] == [400] * 3


def test_T122_a_question_has_no_key(operator):
    operator.post("denylist", key="k-1", **ENTRY)

    asked = operator.post("denylist/test", key="k-1", asked="sensor-1")

    assert (asked.status_code, asked.json()["is_refused"]) == (200, True)


def test_a_failure_of_aws_says_whether_to_try_again():
    def answer(*, is_transient):
        failure = RemoteFailure("iot:X", "C", "said", "Do it.", is_transient=is_transient)
        refusal = as_refusal(failure)
        return refusal.status, refusal.headers, refusal.more

    facts = {"call": "iot:X", "aws_code": "C"}
    assert answer(is_transient=True) == (502, {"Retry-After": "1"}, facts)
    assert answer(is_transient=False) == (502, {}, facts)


def test_an_error_of_all_fields_together_has_the_path_that_they_have():
    found = field_errors({"filter": {"non_field_errors": ["x"], "q": ["y"]}, "reason": ["z"]})

    assert [one["field"] for one in found] == ["filter", "filter.q", "reason"]
