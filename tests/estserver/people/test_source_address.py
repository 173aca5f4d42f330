"""The address on the audit trail is the gateway's word, through Zappa's own reading of an event."""

import pytest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from zappa.wsgi import create_wsgi_request

from estserver.people.source_address import SourceAddressMiddleware
from estserver.settings.admin import MIDDLEWARE

FORGED = "198.51.100.7"
REAL = "192.0.2.1"


@pytest.fixture
def address():
    """The address that a view sees for an event."""

    def see(identity):
        headers = {"Host": "admin.example.com", "X-Forwarded-For": f"{FORGED}, {REAL}"}
        event = {
            "httpMethod": "GET",
            "path": "/admin/",
            "headers": headers,
            "multiValueHeaders": {name: [value] for name, value in headers.items()},
            "requestContext": {"apiId": "a1b2c3", "identity": identity},
            "body": None,
        }
        environ = create_wsgi_request(event) | {"lambda.event": event}
        assert environ["REMOTE_ADDR"] == FORGED  # what Zappa makes of it
        seen = []
        middleware = SourceAddressMiddleware(
            lambda request: seen.append(request.META["REMOTE_ADDR"]) or HttpResponse()
        )
        middleware(WSGIRequest(environ))
        return seen[0]

    return see


def test_T30_a_forged_forwarded_for_isnt_the_address(address):
    assert address({"sourceIp": REAL}) == REAL


@pytest.mark.parametrize("identity", [{}, None, {"sourceIp": None}])
def test_T30_no_address_is_better_than_a_forged_one(address, identity):
    assert address(identity) == ""


def test_without_an_event_the_address_is_the_sockets(rf):
    request = rf.get("/", REMOTE_ADDR="127.0.0.9")

    SourceAddressMiddleware(lambda request: HttpResponse())(request)

    assert request.META["REMOTE_ADDR"] == "127.0.0.9"


def test_it_comes_before_everything_that_may_note_the_address():
    assert MIDDLEWARE[0] == "estserver.people.source_address.SourceAddressMiddleware"
