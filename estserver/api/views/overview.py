"""The overview's numbers and its notices."""

from django.http import HttpResponseBase
from rest_framework.exceptions import ValidationError

from estserver.api.serializers.outputs import Said, said
from estserver.api.serializers.tools import (
    AcknowledgeInput,
    NoticeList,
    Overview,
)
from estserver.api.views.base import BaseView, Request, Response
from estserver.console.overview.notices import acknowledge, sort_notices
from estserver.console.overview.page import SEES, TAKES_ON
from estserver.console.overview.report import notice, present_notices, read_overview


class OverviewNumbers(BaseView):
    """The numbers of the overview."""

    permissions = {"GET": SEES}
    returns = {"GET": Overview}

    def get(self, request: Request) -> HttpResponseBase:
        """Return the numbers of certificates, jobs, refusals and of what waits."""
        found = read_overview()
        fleet = found.fleet
        numbers = {
            "certificates": fleet.total.count,
            "issued_24_hours": fleet.issued_day.count,
            "issued_30_days": fleet.issued_month.count,
            "expiring": {str(days): one.count for days, one in fleet.expiring.items()},
            "not_renewed": fleet.not_renewed.count,
            "open_jobs": fleet.open_jobs.count,
            "failed_jobs": fleet.failed_jobs.count,
            "hooks_to_repeat": fleet.hooks.count,
            "refusals_24_hours": {one.code: one.day.count for one in found.refusals},
            "refusals_30_days": {one.code: one.month.count for one in found.refusals},
            "waiting_for_aws_iot": {one.target: one.pending.count for one in found.waiting},
            "open_notices": len(found.notices.open),
        }
        return Response(Overview(numbers).data)


class Notices(BaseView):
    """What is wrong with the installation."""

    permissions = {"GET": SEES}
    returns = {"GET": NoticeList}

    def get(self, request: Request) -> HttpResponseBase:
        """List the notices of the overview: what is wrong now, and what to do."""
        found = sort_notices(present_notices())
        rows = [
            {
                "key": one.key,
                "state": state,
                "severity": one.severity,
                "is_urgent": one.is_urgent,
                "what": one.what,
                "todo": one.todo,
            }
            for state, notices in (("open", found.open), ("acknowledged", found.acknowledged))
            for one in notices
        ]
        return Response(NoticeList({"results": rows}).data)


class NoticeAcknowledge(BaseView):
    """Take a notice on."""

    permissions = {"POST": (TAKES_ON,)}
    takes = {"POST": AcknowledgeInput}
    returns = {"POST": Said}

    def post(self, request: Request) -> HttpResponseBase:
        """Record that somebody works on a notice, for 14 days or until it gets worse."""
        asked = self.body()
        found = notice(asked["key"])
        if found is None:
            raise ValidationError({"key": "There is no such notice now. It may be solved."})
        if asked["dry_run"]:
            detail = f"It would be acknowledged: {found.what}"
            return Response(said("would-acknowledge", detail, dry_run=True))

        def take_on() -> Response:
            acknowledge(found, actor=self.actor, reason=asked["reason"])
            return Response(said("acknowledged", f"Acknowledged: {found.what}"))

        return self.carry_out(take_on)
