"""The newest rows of a list that a page shows whole, with a sentence if there are more."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.utils.translation import gettext

M = TypeVar("M", bound=Model)


def newest_rows(rows: QuerySet[M], most: int, command: str) -> tuple[list[M], str]:
    """Return the first ``most`` rows in their order, and what to say; "" if these are all.

    ``command`` lists all of them, such as ``api_tokens list``.
    """
    found = list(rows[: most + 1])
    if len(found) <= most:
        return found, ""
    sentence = gettext("The newest %(most)s are shown. manage.py %(command)s lists all.")
    return found[:most], sentence % {"most": most, "command": command}
