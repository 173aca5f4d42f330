"""Who calls: the holder of the token in ``Authorization: Bearer`` (RFC 6750), and nobody else.

There is no session here, so no other site can make a browser send a request that counts.
"""

import datetime
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from estserver.api.problems import APIRefusal
from estserver.api.reasons import APIReason
from estserver.people.api_tokens import TokenHolder, holder_of, note_use
from estserver.people.sign_in import limits as sign_in_limits
from estserver.people.sign_in.limits import SENDER, Attempt, Limit
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

if TYPE_CHECKING:
    from rest_framework.request import Request

CHALLENGE: Final = 'Bearer realm="EST server", error="invalid_token"'
_NO_ACCOUNT: Final = "(api token)"  # no account can have this name


class TokenAttempt(Attempt):
    """A request with a wrong token: counted by its address, apart from people's passwords.

    A program whose token has expired must not keep the people of its office from signing in.
    """

    @property
    def limits(self) -> tuple[tuple[str, Limit], ...]:
        """The one key under which it is counted."""
        of_address, *_ = super().limits
        return ((of_address[0], SENDER),)


class BearerAuthentication:
    """REST framework's authentication by a token."""

    def authenticate(self, request: "Request") -> tuple[TokenHolder, Any]:
        """Return for whom the request acts, and the row of the token. Raises ``APIRefusal``.

        A good token is taken from any address at any time, since nobody guesses 256 bits, and
        nobody should keep a program out. A wrong one is counted.
        """
        scheme, _, token = str(request.META.get("HTTP_AUTHORIZATION", "")).partition(" ")
        address = request.META.get("REMOTE_ADDR") or None
        if scheme.lower() != "bearer" or not token.strip():
            raise _refusal()
        holder = holder_of(token.strip())
        if holder is None:
            _count(address)
            raise _refusal()
        note_use(holder.token, address)
        return holder, holder.token

    def authenticate_header(self, request: "Request") -> str:
        """Return what a 401 asks for."""
        return CHALLENGE


def _refusal() -> APIRefusal:
    return APIRefusal(APIReason.TOKEN_REFUSED, headers={"WWW-Authenticate": CHALLENGE})


def _count(address: str | None) -> None:
    """Count a wrong token, with a row on the audit trail. Raises ``APIRefusal`` during a pause."""
    count = sign_in_limits.begin(TokenAttempt(_NO_ACCOUNT, address or ""))
    if isinstance(count, datetime.timedelta):
        seconds = str(math.ceil(count.total_seconds()))
        raise APIRefusal(APIReason.TOO_MANY_REQUESTS, headers={"Retry-After": seconds})
    blocked = count.blocked_until.isoformat() if count.blocked_until else None
    facts = {"failures": count.failures, "blocked_until": blocked}

    def record() -> None:
        audit_trail.record(
            "api-token-refused",
            actor=Actor("stranger", source_ip=address),
            target="api-token:unknown",
            after=facts,
        )

    in_write_transaction(record)


AUTHENTICATION: Final[Sequence[type[BearerAuthentication]]] = (BearerAuthentication,)
