"""/metrics: only with the token, only on a server of one's own, and in the format to the letter."""

import re
from dataclasses import replace

import pytest
from django.conf import settings as django_settings

from estserver.models import PendingHook
from estserver.operations import metrics_page
from estserver.operations.gauges import gauges
from estserver.operations.prometheus import exposition, family
from iotprov.models import Provisioning
from pki.models import IssuedCertificate
from tests.support.builders import make_csr

TOKEN = "0123456789abcdef0123456789abcdef"

_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*"'
_SAMPLE = re.compile(
    rf"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{(?P<labels>{_LABEL}(?:,{_LABEL})*)\}})?"
    r" (?P<value>-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?|NaN|[+-]Inf)"
)


def parse(text):
    """Read the format as its page says, and refuse whatever deviates. Return values by series."""
    assert text.endswith("\n")
    values, current, typed = {}, "", set()
    lines = iter(text.removesuffix("\n").split("\n"))
    for line in lines:
        if line.startswith("# HELP "):
            _, _, current, said = line.split(" ", 3)
            assert said
            assert current not in typed
            assert next(lines) == f"# TYPE {current} gauge"
            typed.add(current)
            continue
        found = _SAMPLE.fullmatch(line)
        assert found, line
        assert found["name"] == current, "a sample stands below its own family"
        series = (current, found["labels"] or "")
        assert series not in values, f"{series} is there twice"
        values[series] = float(found["value"])
    return values


@pytest.fixture
def scrape(client, monkeypatch):
    """Return a function that asks with a token, which is the server's."""
    monkeypatch.setenv(metrics_page.VARIABLE, TOKEN)

    def ask(token=TOKEN, scheme="Bearer", **more):
        return client.get("/metrics", HTTP_AUTHORIZATION=f"{scheme} {token}", **more)

    return ask


def test_the_numbers_of_the_overview_are_there(
    installation, est_client, scrape, django_assert_max_num_queries
):
    est_client.simpleenroll(make_csr("sensor-1"))
    row = IssuedCertificate.objects.get(common_name="sensor-1")
    Provisioning.objects.create(certificate=row, target="default")
    PendingHook.objects.create(certificate=row, attempts=1)

    with django_assert_max_num_queries(10):
        answer = scrape()

    assert answer.status_code == 200
    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    values = parse(answer.content.decode())
    assert values["est_certificates", ""] == IssuedCertificate.objects.count()
    assert values["est_certificates_issued", 'within_days="1"'] == 2  # and the test client's
    assert values["est_outbox_certificates", 'target="default",state="pending"'] == 1
    assert values["est_hooks", 'state="failing"'] == 1
    assert values["est_notices", 'state="open",urgent="false"'] == 1
    device = f'ca="{row.ca.name}",purpose="device",status="active"'
    assert values["est_ca_not_after_timestamp_seconds", device] == row.ca.not_after.timestamp()
    oldest = {one.name: one.value for one in gauges()}["OutboxAgeSeconds"]
    assert abs(values["est_outbox_oldest_seconds", 'target="default"'] - oldest) < 60


def test_the_format_bears_every_character():
    hostile = 'a"b\\c\nd\u202e{}, #'

    text = exposition([family("est_x", "A\nb\\.", (1, {"name": hostile}), (2.5, {"name": ""}))])

    escaped = hostile.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    assert parse(text) == {("est_x", f'name="{escaped}"'): 1, ("est_x", 'name=""'): 2.5}
    assert exposition([family("est_nothing", "Nothing.")]) == ""


@pytest.mark.parametrize(
    ("token", "scheme"), [("", "Bearer"), (TOKEN[:-1], "Bearer"), (TOKEN, "Basic"), ("é", "Bearer")]
)
def test_T130_without_the_token_there_are_no_numbers(db, scrape, token, scheme):
    answer = scrape(token, scheme)

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")
    assert b"est_" not in answer.content


def test_T130_without_a_token_of_the_server_there_is_no_page(client, db, scrape, monkeypatch):
    monkeypatch.delenv(metrics_page.VARIABLE)
    assert scrape().status_code == 404

    monkeypatch.setenv(metrics_page.VARIABLE, "short")
    assert scrape("short").status_code == 404


def test_T130_on_lambda_there_is_no_page(db, scrape, settings):
    settings.IS_LAMBDA = True

    assert scrape(**{"lambda.event": {}}).status_code == 404


def test_the_token_is_a_file_that_can_be_replaced(installation, scrape, monkeypatch, settings):
    monkeypatch.delenv(metrics_page.VARIABLE)
    path = installation / "token"
    properties = replace(django_settings.CONFIG.properties, metrics_token_path=str(path))
    settings.CONFIG = replace(django_settings.CONFIG, properties=properties)

    assert scrape().status_code == 404  # there is no file yet
    path.write_text(f"{TOKEN}\n")
    assert scrape().status_code == 200
    path.write_text(TOKEN[::-1])
    assert scrape().status_code == 401


def test_prometheus_may_ask_by_address(installation, scrape):
    assert scrape(HTTP_HOST="10.0.0.7:8000").status_code == 200
