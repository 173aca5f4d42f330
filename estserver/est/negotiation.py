"""Choose the parser. EST has one media type for each reply, so Accept is ignored."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from rest_framework.request import Request

    from estserver.est.parsers import PKCS10Parser


class ESTNegotiation:
    """Enforces Content-Type only if apiStrictHeadersCheck is set. Accept is ignored."""

    def select_parser(
        self, request: "Request", parsers: "Sequence[PKCS10Parser]"
    ) -> "PKCS10Parser | None":
        """Return the operation's one parser, or None (415) for another media type.

        ``estserver.est.media_type`` has removed parameters and upper case already.
        """
        parser = parsers[0]
        if settings.EST_API_STRICT_HEADERS_CHECK and request.content_type != parser.media_type:
            return None
        return parser
