"""What waits for AWS IoT, and the post hooks that have not succeeded."""

import uuid
from typing import Any

from django.http import HttpResponseBase

from estserver.api.keyset import Selection
from estserver.api.serializers.outbox import Hook, OutboxPage, OutboxRow, RetryInput
from estserver.api.serializers.outputs import Said, said
from estserver.api.views.base import BaseView, ListView, Request, Response, not_found
from estserver.models import PendingHook
from iotprov.models import Provisioning
from iotprov.provisioning.outbox import retry

VIEW = "iotprov.view_provisioning"
CHANGE = "iotprov.change_provisioning"
_LARGE = ("certificate__der", "certificate__csr_der")


class Outbox(ListView):
    """The rows of the outbox, newest first."""

    permissions = {"GET": (VIEW,)}
    query = OutboxPage
    row = OutboxRow

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return the rows that the filters leave."""
        rows = Provisioning.objects.select_related("certificate").defer(*_LARGE)
        if filters.get("state"):
            rows = rows.filter(state=filters["state"])
        return Selection(rows)


class OutboxRetry(BaseView):
    """Retry a row of the outbox."""

    permissions = {"POST": (CHANGE,)}
    takes = {"POST": RetryInput}
    returns = {"POST": Said}

    def post(self, request: Request, row: uuid.UUID) -> HttpResponseBase:
        """Make a row due now, a parked one too. The schedule works on it within a minute."""
        asked = self.body()
        found = Provisioning.objects.select_related("certificate").filter(pk=row).first()
        if found is None:
            raise not_found(f"The outbox has no row {row}.")
        if asked["dry_run"]:
            detail = f"{found} would be due now. It is {found.state}."
            return Response(said("would-retry", detail, dry_run=True))

        def make_due() -> Response:
            retry(found, actor=self.actor, reason=asked["reason"])
            return Response(said("due", f"{found} is due now."))

        return self.carry_out(make_due)


class Hooks(ListView):
    """The post hooks that have not succeeded, newest first."""

    permissions = {"GET": ("estserver.view_pendinghook",)}
    row = Hook

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return all of them."""
        rows = PendingHook.objects.select_related("certificate").defer(*_LARGE)
        return Selection(rows)
