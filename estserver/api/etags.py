"""Versions of what is changed as a whole: ``ETag``, and ``If-Match`` that a change must have.

Without it the later of two changes would undo the earlier one unseen (RFC 9110 13.1.1, RFC 6585 3).
"""

import re
from typing import Any

from estserver.api.problems import APIRefusal
from estserver.api.reasons import APIReason

_ETAG = re.compile(r'"v(?P<number>[0-9]{1,9})"')


def etag(number: int) -> str:
    """Return the entity tag of a version."""
    return f'"v{number}"'


def expected_version(request: Any) -> int | None:
    """Return the number of the version that ``If-Match`` names; ``None`` for ``*``, any of them.

    Raises ``APIRefusal`` without the header, or for a tag that is none of this server's.
    """
    given = str(request.META.get("HTTP_IF_MATCH", "")).strip()
    if not given:
        raise APIRefusal(APIReason.VERSION_MISSING)
    if given == "*":
        return None
    match = _ETAG.fullmatch(given)
    if match is None:
        raise version_changed("If-Match has no entity tag of this server.")
    return int(match["number"])


def version_changed(detail: str, changes: Any = None, *, number: int | None = None) -> APIRefusal:
    """Return the refusal of a change that was made from another version, with what differs."""
    headers = {"ETag": etag(number)} if number is not None else {}
    return APIRefusal(APIReason.VERSION_CHANGED, detail, headers=headers, changes=changes)
