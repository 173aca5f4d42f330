"""``docs/openapi.yaml`` is what the code says, and the code answers as the file says."""

import pytest

from estserver.api.routes import ROUTES
from tests.estserver.api import openapi
from tests.estserver.api.asking import ask_all
from tests.estserver.proof.sizes import seed, sizes
from tests.support.builders import make_csr

SMALL = 2


def test_the_file_is_what_the_code_says():
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.as_yaml(), (
        "Run: python -m tests.estserver.api.openapi"
    )


def test_each_address_is_in_the_file():
    assert len(openapi.schema()["paths"]) == len(ROUTES)


@pytest.mark.django_db(transaction=True)
@sizes("EST_PROOF_EXAMPLES", small=SMALL, whole=30, name="examples")
def test_no_call_that_the_file_allows_or_forbids_gets_a_5xx_or_another_answer(
    officer, est_client, settings, examples
):
    number = 0 if examples == SMALL else seed()
    settings.API_REQUESTS_PER_MINUTE = 1_000_000
    assert est_client.simpleenroll(make_csr("device-1")).status_code == 200

    statuses, failures = ask_all(officer.headers, examples=examples, number=number)

    print(  # noqa: T201  # a proof's result
        f"{len(statuses)} operations, EST_PROOF_EXAMPLES={examples}, EST_PROOF_SEED={number}"
    )
    assert not failures, "\n\n".join(failures[:8])
    assert len(statuses) > len(ROUTES)
