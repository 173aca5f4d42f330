"""Drop the parameters of Content-Type, which EST ignores and some of which Django fails on."""

from collections.abc import Callable, Iterable
from typing import Any

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def drop_media_type_parameters(application: WSGIApplication) -> WSGIApplication:
    """Return ``application`` with the bare media type (RFC 9110 8.3.1), in lower case.

    Django parses the parameters before any of its handlers could answer, and raises for some
    (``x*=unknown-charset''y``). Any stranger could cause a traceback with such a header.
    """

    def with_bare_type(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if "CONTENT_TYPE" in environ:
            bare = environ["CONTENT_TYPE"].partition(";")[0]
            environ["CONTENT_TYPE"] = bare.strip().lower()
        return application(environ, start_response)

    return with_bare_type
