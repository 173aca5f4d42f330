"""The requests of tests/cases, byte by byte over real TLS; their results stand in the table."""

import pytest

from tests.cases.table import FOLDER, check_row
from tests.interop.test_raw_requests import RawClient

pytestmark = pytest.mark.interop

REQUESTS = {
    "request-head-cacerts.txt": (200, "200, without a body"),
    "request-without-host.txt": (400, "400"),
    "request-healthz-by-ip.txt": (200, "200"),
}


@pytest.mark.parametrize("file", REQUESTS)
def test_a_request(server, file):
    status, begins = REQUESTS[file]
    host = f"localhost:{server.port}".encode()
    request = (FOLDER / file).read_bytes().replace(b"{host}", host)

    found, _, body = RawClient(server).ask(request, with_certificate=True)

    if status == 200:
        result = f"{found}, without a body" if not body else f"{found}"
    else:
        result = f"{found} {body.decode().partition(' (request')[0].strip()}"
    check_row(file, result)
    assert found == status
    assert result.startswith(begins)
