"""EST has one answer to each question: what a client says it accepts changes nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from rest_framework.request import Request

    from estserver.est.parsers import PKCS10Parser


class ESTNegotiation:
    """A wrong ``Content-Type`` may do (``apiStrictHeadersCheck``); nobody reads ``Accept``."""

    def select_parser(
        self, request: "Request", parsers: "Sequence[PKCS10Parser]"
    ) -> "PKCS10Parser | None":
        """The operation's one parser, or ``None`` (415) for another media type.

        Case and parameters are gone already (``estserver.est.media_type``).
        """
        parser = parsers[0]
        if settings.EST_STRICT_HEADERS and request.content_type != parser.media_type:
            return None
        return parser
