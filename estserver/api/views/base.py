"""The base of every view: JSON in and out, a token, a permission, problem documents."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

from django.http import HttpRequest, HttpResponseBase
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from estserver.api import idempotency
from estserver.api.authentication import AUTHENTICATION
from estserver.api.keyset import Selection, page_of
from estserver.api.permissions import RolePermission
from estserver.api.problems import APIRefusal, exception_handler, with_request_id
from estserver.api.reasons import APIReason
from estserver.api.serializers.inputs import Input, NoInput, PageInput
from estserver.api.throttling import TokenThrottle
from estserver.people.api_tokens import TokenHolder
from pki.models.fields import new_identifier
from pki.record.audit_trail import Actor


class JSONAlways(BaseContentNegotiation):
    """JSON whatever ``Accept`` says, which RFC 9110 12.4.1 allows. There is no other form."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the parser for the body's type; None for another type than JSON."""
        parser = parsers[0]
        given = str(request.content_type).partition(";")[0].strip().lower()
        return parser if given == parser.media_type else None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """Return the one renderer."""
        return renderers[0], renderers[0].media_type


class BaseView(APIView):
    """A call of the API. A subclass states what each of its methods needs, takes and returns.

    The statements are also what ``docs/openapi.yaml`` is written from.
    """

    authentication_classes = AUTHENTICATION  # type: ignore[assignment]  # by duck typing
    permission_classes = (RolePermission,)  # type: ignore[assignment]
    renderer_classes = (JSONRenderer,)
    parser_classes = (JSONParser,)
    throttle_classes = (TokenThrottle,)
    content_negotiation_class = JSONAlways
    http_method_names = ["get", "head", "post", "put", "patch"]

    permissions: ClassVar[Mapping[str, tuple[str, ...]]]
    """By method, what a token needs: all of them. A method that is not here is not allowed."""
    query: ClassVar[type[Input]] = NoInput
    """The parameters of a GET."""
    takes: ClassVar[Mapping[str, type[Input]]] = {}
    """By method, the fields of the body."""
    returns: ClassVar[Mapping[str, type[BaseSerializer[Any]] | str]] = {}
    """By method, what the body of a success is: a serializer, or the media type of a file."""
    success: ClassVar[Mapping[str, int]] = {}
    """By method, the status of a success if it is not 200. A dry run is always 200."""
    has_etag: ClassVar[bool] = False
    """Whether what it returns has an ``ETag``, which a change of it needs in ``If-Match``."""
    needs_if_match: ClassVar[bool] = False
    """Whether a POST needs ``If-Match``."""
    is_question: ClassVar[bool] = False
    """Whether a POST changes nothing."""

    request_id: str = ""
    _key: tuple[str, str] | None = None

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Give the request an id: the gateway's, that of the log line, or a new one."""
        event = request.META.get("lambda.event") or {}
        of_gateway = (event.get("requestContext") or {}).get("requestId")
        of_log = getattr(request, "request_id", None)
        self.request_id = str(of_gateway or of_log or new_identifier().hex)[:36]
        return super().initialize_request(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check token, permission and rate, then whether the request is a repeated one."""
        super().initial(request, *args, **kwargs)
        if any("\0" in str(value) for value in kwargs.values()):
            raise APIRefusal(APIReason.NOT_FOUND)
        if request.method == "POST" and not self.is_question:
            self._key = idempotency.key_of(request._request, request.auth)
            if self._key is not None:
                idempotency.answer_again(*self._key)

    def get_exception_handler(self) -> Callable[[Exception, dict[str, Any]], Any]:
        """Return what makes problem documents."""
        return exception_handler

    def handle_exception(self, exc: Exception) -> Any:
        """Return the answer to what was raised, a bug too. REST framework would raise bugs on."""
        return exception_handler(exc, {"view": self})

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the headers that every answer has."""
        answer = super().finalize_response(request, response, *args, **kwargs)
        return with_request_id(answer, self.request_id)

    @property
    def holder(self) -> TokenHolder:
        """For whom the request acts."""
        return cast(TokenHolder, self.request.user)

    @property
    def actor(self) -> Actor:
        """The person and the token, for the audit trail."""
        address = self.request.META.get("REMOTE_ADDR") or None
        return Actor(self.holder.actor_name, self.request_id, address)

    def body(self) -> dict[str, Any]:
        """Return the fields of the body. Raises ``ValidationError``."""
        return self._checked(self.takes[str(self.request.method)], self.request.data)

    def asked(self) -> dict[str, Any]:
        """Return the parameters of the query. Raises ``ValidationError``."""
        given = self.request.query_params
        twice = [name for name in given if len(given.getlist(name)) > 1]
        if twice:
            raise ValidationError(dict.fromkeys(twice, "It is given twice. Give it once."))
        return self._checked(self.query, given.dict())

    def carry_out(self, effect: Callable[[], Response]) -> HttpResponseBase:
        """Return what ``effect`` answers, once for each ``Idempotency-Key``, refusals too."""
        if self._key is None:
            return effect()
        row = idempotency.begin(*self._key)
        try:
            answer: Any = effect()
        except Exception as error:  # noqa: BLE001  # the answer to a bug is kept with the key too
            # It logs a bug, as it does where REST framework calls it.
            answer = self.handle_exception(error)
        answer = self.finalize_response(self.request, answer)
        if isinstance(answer, Response):
            answer.render()
        idempotency.finish(row, answer)
        kept: HttpResponseBase = answer
        return kept

    def _checked(self, kind: type[Input], data: Any) -> dict[str, Any]:
        given = kind(data=data)
        given.is_valid(raise_exception=True)
        checked: dict[str, Any] = given.validated_data
        return checked


class ListView(BaseView, ABC):
    """A list, page by page (``estserver.api.keyset``)."""

    query = PageInput
    row: ClassVar[type[BaseSerializer[Any]]]
    """What a row is."""

    @abstractmethod
    def select(self, filters: dict[str, Any]) -> Selection:
        """Return the rows that the filters leave. Raises ``ValidationError`` for a wrong one."""

    def get(self, request: Request, **kwargs: Any) -> HttpResponseBase:
        """List the rows that the filters leave."""
        filters = self.asked()
        limit, cursor = filters.pop("limit"), filters.pop("cursor")
        page = page_of(
            self.select(filters), limit=limit, cursor=cursor, filters={**filters, **kwargs}
        )
        rows = self.row(page.rows, many=True).data
        return Response({"results": rows, "next_cursor": page.next_cursor or None})


def not_found(what: str) -> APIRefusal:
    """Return the refusal for a row that is not on record."""
    return APIRefusal(APIReason.NOT_FOUND, what)


__all__ = ["BaseView", "ListView", "Request", "Response", "not_found"]
