"""The order of things in every EST request: who calls, may they, what do they ask, answer.

Authentication, permissions, parsing and errors are REST framework's; its ``APIView`` isn't used.
That imports schemas and serializers, and with them forms and the code of Django's admin: a tenth
of a cold start, and code inside the CA that no device ever needs.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.generic import View
from rest_framework.exceptions import MethodNotAllowed, UnsupportedMediaType
from rest_framework.request import Request

from estserver.est.exceptions import exception_handler
from estserver.est.negotiation import ESTNegotiation

if TYPE_CHECKING:  # named by the operations that need them
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
        """Answer, and turn whatever is raised on the way into a refusal."""
        # Its stubs ask for the framework's base classes, of which nothing would be used.
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
        except Exception as error:  # noqa: BLE001 - of every kind: the table of errors decides
            return self.handle_exception(error)
        return answer

    def prepare(self, **kwargs: Any) -> None:
        """What an operation needs before anybody is authenticated; ``kwargs`` are the URL's."""

    def _check(self, **kwargs: Any) -> None:
        """The method, who calls, and whether they may: before a byte of the body is read."""
        if str(self.request.method).lower() not in self.http_method_names:
            raise MethodNotAllowed(str(self.request.method))
        self.prepare(**kwargs)
        _ = self.request.user  # authenticates
        for permission in self.permission_classes:
            permission().check(self.request)

    def parse(self) -> bytes | None:
        """What the operation's parser makes of the body; ``None`` when there is no body.

        Not ``request.data``: that imports every parser there is, and the renderers with them.
        Raises ``UnsupportedMediaType``, and whatever the parser does.
        """
        request = self.request
        if request.stream is None:
            return None
        parser = ESTNegotiation().select_parser(request, [one() for one in self.parser_classes])
        if parser is None:
            raise UnsupportedMediaType(request.content_type)
        return parser.parse(request.stream)

    def handle_exception(self, exc: Exception) -> HttpResponse:
        """The answer to a refusal, or to a bug."""
        return exception_handler(exc, {"request": self.request, "view": self})

    @property
    def allowed_methods(self) -> list[str]:
        """For the header ``Allow``."""
        return [name.upper() for name in self.http_method_names]
