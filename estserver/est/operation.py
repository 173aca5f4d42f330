"""The order of things in every EST request: authentication, permission, body, answer.

The request and its exceptions are REST framework's. Its ``APIView`` is not used, because it imports
schemas and serializers, and with them forms and the code of Django's admin. No device needs that
code, and each cold start would load it.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.generic import View
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType
from rest_framework.request import Request

from estserver.est.exceptions import exception_handler
from estserver.est.negotiation import ESTNegotiation

if TYPE_CHECKING:  # the operations that need them import them
    from estserver.est.authentication import MutualTLSAuthentication
    from estserver.est.parsers import PKCS10Parser
    from estserver.est.permissions import IsEnrollmentClient


class OperationView(View):
    """One EST operation."""

    authentication_classes: ClassVar["Sequence[type[MutualTLSAuthentication]]"] = ()
    permission_classes: ClassVar["Sequence[type[IsEnrollmentClient]]"] = ()
    parser_classes: ClassVar["Sequence[type[PKCS10Parser]]"] = ()

    request: Request

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, and turn what is raised on the way into a refusal."""
        # The stubs of Request ask for the framework's base classes, which have no use here.
        self.request = Request(
            request,
            authenticators=[one() for one in self.authentication_classes],  # type: ignore[misc]
            negotiator=ESTNegotiation(),  # type: ignore[arg-type]
        )
        try:
            self._check(**kwargs)
            answer: HttpResponse = getattr(self, str(request.method).lower())(
                self.request, *args, **kwargs
            )
        except Exception as error:  # noqa: BLE001 - the table of errors decides
            return self.handle_exception(error)
        return answer

    def prepare(self, **kwargs: Any) -> None:
        """Prepare for authentication. ``kwargs`` are the URL's."""

    def _check(self, **kwargs: Any) -> None:
        """Check method, client and permission, before a byte of the body is read."""
        if str(self.request.method).lower() not in self.http_method_names:
            raise MethodNotAllowed(str(self.request.method))
        self.prepare(**kwargs)
        _ = self.request.user  # authenticates
        for permission in self.permission_classes:
            permission().check(self.request)

    def parse(self) -> bytes | None:
        """Return the body as the operation's parser decodes it, or None when there is no body.

        ``request.data`` is not used, because it imports all parsers and renderers. Raises
        ``UnsupportedMediaType``, and what the parser raises.
        """
        request = self.request
        if request.stream is None:
            return None
        parser = ESTNegotiation().select_parser(request, [one() for one in self.parser_classes])
        if parser is None:
            raise UnsupportedMediaType(request.content_type)
        return parser.parse(request.stream)

    def handle_exception(self, exc: Exception) -> HttpResponse:
        """Return the answer to a refusal or a bug."""
        return exception_handler(exc, {"request": self.request, "view": self})

    @property
    def allowed_methods(self) -> list[str]:
        """The methods for the header ``Allow``."""
        return [name.upper() for name in self.http_method_names]
