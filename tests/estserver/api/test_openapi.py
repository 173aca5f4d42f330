"""``docs/openapi.yaml`` is what the code says, and the code answers as the file says."""

import pytest

from estserver.api.routes import ROUTES
from tests.estserver.api import openapi
from tests.estserver.api.asking import ask_all
from tests.support.builders import make_csr


def test_the_file_is_what_the_code_says():
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.as_yaml(), (
        "Run: python -m tests.estserver.api.openapi"
    )


def test_each_address_is_in_the_file():
    assert len(openapi.schema()["paths"]) == len(ROUTES)


@pytest.mark.django_db(transaction=True)
def test_no_call_that_the_file_allows_or_forbids_gets_a_5xx_or_another_answer(
    officer, est_client, settings
):
    settings.API_REQUESTS_PER_MINUTE = 1_000_000
    assert est_client.simpleenroll(make_csr("device-1")).status_code == 200

    statuses, failures = ask_all(officer.headers, examples=2)

    assert not failures, "\n\n".join(failures[:8])
    assert len(statuses) > len(ROUTES)
