"""The admin's health pages answer any Host on a server of one's own, and no other page does."""

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse

from estserver.people.probes import ProbeMiddleware


@pytest.mark.parametrize("host", ["10.1.2.3:8000", "[fd00::1]:8000", "probe"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_T51_admin_answers_probes_that_ask_by_address(client, installation, host, path):
    response = client.get(path, HTTP_HOST=host)

    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/admin/", "/admin/login/", "/", "/healthz/"])
def test_T51_admin_refuses_a_foreign_host_elsewhere(client, db, path):
    assert client.get(path, HTTP_HOST="10.1.2.3").status_code == 400


def test_T51_on_lambda_the_health_pages_go_the_way_of_all_others(rf):
    request = WSGIRequest({**rf.get("/healthz").environ, "lambda.event": {"httpMethod": "GET"}})
    rest = HttpResponse("the rest")

    assert ProbeMiddleware(lambda request: rest)(request) is rest
