"""What a page of the admin answers when the database takes back what Django wrote by itself.

The product's own changes start over after a conflict (``pki.record.transactions``). Django's do
not: accounts, groups, and the log of the admin. Aurora DSQL refuses them at commit when another
transaction wrote to the same row, and commits nothing. To run a whole page again would repeat what
it did outside of its transaction, so a person decides.
"""

import logging
from collections.abc import Callable

from django.db import Error
from django.http import HttpRequest, HttpResponse

from pki.record.transactions import is_conflict, is_too_much

logger = logging.getLogger(__name__)

CONFLICT = (
    "Another change came in between, and nothing of this one was saved. Go back, reload the page, "
    "and make the change again."
)
TOO_MUCH = (
    "This change is more than the database takes in one transaction, and nothing of it was saved. "
    "Go back, and make it in smaller parts."
)


class ConflictMiddleware:
    """Middleware that answers 503 after a conflict, and 409 to a change that is too large."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Leave the request to what follows."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the answer to an error of the database, or None if it is another error."""
        if not isinstance(error, Error):
            return None
        if is_conflict(error):
            logger.info("a page met another writer: %s", error)
            return _line(CONFLICT, 503, {"Retry-After": "1"})
        if is_too_much(error):
            logger.warning("a page's change is too much for the database: %s", error)
            return _line(TOO_MUCH, 409, {})
        return None


def _line(text: str, status: int, headers: dict[str, str]) -> HttpResponse:
    return HttpResponse(
        f"{text}\n",
        status=status,
        content_type="text/plain; charset=utf-8",
        headers={"Cache-Control": "no-store", **headers},
    )
