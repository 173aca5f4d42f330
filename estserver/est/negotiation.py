"""EST has one answer to each question: what a client says it accepts changes nothing."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class ESTNegotiation(BaseContentNegotiation):
    """Any ``Accept`` will do; a wrong ``Content-Type`` may, as ``apiStrictHeadersCheck`` says."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """The operation's one parser, or ``None`` (415) for another media type.

        Case and parameters are gone already (``estserver.est.media_type``).
        """
        parser = next(iter(parsers))
        if settings.EST_STRICT_HEADERS and request.content_type != parser.media_type:
            return None
        return parser

    def select_renderer(
        self,
        request: Request,
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,
    ) -> tuple[BaseRenderer, str]:
        """The first: never 406, whatever ``Accept`` says or doesn't."""
        renderer: Any = next(iter(renderers))
        return renderer, renderer.media_type
