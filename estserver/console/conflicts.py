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

from estserver.console.errors import change_refused
from pki.record.transactions import is_conflict, is_too_much

logger = logging.getLogger(__name__)

CONFLICT = "Another change came in between, and nothing of this one was saved."
TOO_MUCH = (
    "This change is more than the database takes in one transaction, and nothing of it was saved."
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
            todo = "Look through it, and send it again."
            answer = change_refused(request, 503, "It was not saved", CONFLICT, todo)
            answer["Retry-After"] = "1"
            return answer
        if is_too_much(error):
            logger.warning("a page's change is too much for the database: %s", error)
            todo = "Open the page again, and make the change in smaller parts."
            return change_refused(request, 409, "It was not saved", TOO_MUCH, todo)
        return None
