"""Content-Type without its parameters, which EST ignores and Django trips over."""

from collections.abc import Callable, Iterable
from typing import Any

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def drop_media_type_parameters(application: WSGIApplication) -> WSGIApplication:
    """Give ``application`` the bare media type (RFC 9110 8.3.1), in lower case.

    Django parses the parameters before any of its handlers could answer, and raises for some
    (``x*=unknown-charset''y``), so that any stranger's header would be a traceback of ours.
    """

    def with_bare_type(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if "CONTENT_TYPE" in environ:
            bare = environ["CONTENT_TYPE"].partition(";")[0]
            environ["CONTENT_TYPE"] = bare.strip().lower()
        return application(environ, start_response)

    return with_bare_type
