"""The audit trail: list, export, verify."""

from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse

from estserver.api.keyset import Selection
from estserver.api.selections import audit_events
from estserver.api.serializers.audit import AuditFilters, AuditPage, Event, Verified
from estserver.api.serializers.inputs import NoInput
from estserver.api.views.base import BaseView, ListView, Request, Response
from pki.admin.audit import AuditEventAdmin
from pki.admin.audit_operations import MOST_ROWS
from pki.record.audit_check import check_trail

VIEW = "pki.view_auditevent"


class AuditTrail(ListView):
    """The events, newest first."""

    permissions = {"GET": (VIEW,)}
    query = AuditPage
    row = Event

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return the events that the filters leave."""
        return audit_events(filters)


class AuditExport(BaseView):
    """The events as a file."""

    permissions = {"GET": (VIEW,)}
    query = AuditFilters
    returns = {"GET": "application/jsonl"}

    def get(self, request: Request) -> HttpResponseBase:
        """Return every event that the filters leave, oldest first, as JSON lines."""
        export = AuditEventAdmin.export
        assert export is not None  # noqa: S101  # the page has one
        answer: StreamingHttpResponse = export.as_response(audit_events(self.asked()).rows)
        return answer


class AuditVerify(BaseView):
    """Verify the trail."""

    permissions = {"POST": (VIEW,)}
    takes = {"POST": NoInput}
    returns = {"POST": Verified}
    is_question = True

    def post(self, request: Request) -> HttpResponseBase:
        """Compare every row with the hash of the row before it, and with the certificates."""
        self.body()
        return Response({"rows": check_trail(at_most=MOST_ROWS)})
