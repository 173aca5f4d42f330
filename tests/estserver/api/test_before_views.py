"""What fails before a view of the API has the request is a problem document too."""

import subprocess
import sys

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db

PROBLEM = "application/problem+json"


@pytest.mark.parametrize("host", ["", "other.example.com", "a b", "testserver:port"])
@pytest.mark.parametrize("path", ["/api/v1/token", "/api/v1/nothing/here", "/api/"])
def test_a_host_that_is_not_the_servers_gets_a_problem_document(host, path):
    answer = Client(raise_request_exception=False).get(path, headers={"host": host})

    said = answer.json()
    assert (answer.status_code, answer["Content-Type"]) == (400, PROBLEM)
    assert (said["status"], said["code"]) == (400, "api-request-wrong")
    assert said["request_id"] == answer["X-Request-Id"] != ""
    assert answer["Cache-Control"] == "no-store"
    assert not host or host not in answer.text


def test_a_failure_of_a_middleware_gets_a_problem_document_that_says_nothing_of_it(monkeypatch):
    def fail(self, request):
        raise KeyError("a secret")

    client = Client(raise_request_exception=False)
    client.get("/api/v1/token")  # the middleware is loaded now
    monkeypatch.setattr("django.middleware.common.CommonMiddleware.process_request", fail)
    answer, page = client.get("/api/v1/token"), client.get("/admin/")

    assert (answer.status_code, answer["Content-Type"]) == (500, PROBLEM)
    assert answer.json()["code"] == "api-internal-error"
    assert "secret" not in answer.text
    assert (page.status_code, page["Content-Type"]) == (500, "text/html; charset=utf-8")


@pytest.mark.parametrize("path", ["/api/", "/api/v2/token", "/api/v1/jobs/a%0Ab/lines"])
def test_an_address_that_leads_nowhere_gets_a_problem_document(operator, path):
    answer = operator.client.get(path, headers=operator.headers)

    assert (answer.status_code, answer["Content-Type"]) == (404, PROBLEM)
    assert answer.json()["code"] == "api-not-found"
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/admin/", "/apis/"])
def test_a_page_of_the_console_is_a_page_as_before(path):
    answer = Client(raise_request_exception=False).get(path, headers={"host": "a b"})

    assert (answer.status_code, answer["Content-Type"]) == (400, "text/html; charset=utf-8")
    assert "The request cannot be answered" in answer.text


def test_the_handlers_load_no_rest_framework():
    script = (
        "import django, os, sys\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "django.setup()\n"
        "import estserver.api.errors\n"
        "print([name for name in sys.modules if name.startswith('rest_framework')])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"
