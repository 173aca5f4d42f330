"""Targets of AWS IoT by the record, and the job that compares them with AWS."""

from typing import Any

from django.http import HttpResponseBase

from estserver.api.selections import certificates
from estserver.api.serializers.certificates import ReprovisionMatching
from estserver.api.serializers.documents import DriftInput, Targets
from estserver.api.serializers.outputs import Counted, said
from estserver.api.views.base import BaseView, Request, Response
from estserver.api.views.document_pushes import chosen_targets
from estserver.console.overview.work import Waiting, read_waiting
from iotprov.conf import find_target
from iotprov.documents.state import TargetState, target_states
from iotprov.documents.versions import Kind, body_in_force
from iotprov.drift.comparison import PARTS
from iotprov.exceptions import DocumentError
from iotprov.jobs.comparing import start_comparison
from iotprov.jobs.reprovisioning import provisionable, start_reprovisioning

VIEW = "iotprov.view_provisioning"
CHANGE = "iotprov.change_provisioning"


class TargetList(BaseView):
    """The targets."""

    permissions = {"GET": (VIEW,)}
    returns = {"GET": Targets}

    def get(self, request: Request) -> HttpResponseBase:
        """Say of each target what it has of template and policy, and what waits for it."""
        states = {kind: _states(kind) for kind in Kind}
        rows = [_target(waiting, states) for waiting in read_waiting()]
        return Response(Targets({"results": rows}).data)


def _states(kind: Kind) -> dict[str, TargetState]:
    try:
        body = body_in_force(kind)
    except DocumentError:
        return {}
    return {one.target: one for one in target_states(kind, body)}


def _target(waiting: Waiting, states: dict[Kind, dict[str, TargetState]]) -> dict[str, Any]:
    target = find_target(waiting.target)
    documents = {
        kind.value: {"state": one.agreement.value, "holds": one.holds}
        for kind, found in states.items()
        if (one := found.get(waiting.target)) is not None
    }
    return {
        "name": waiting.target,
        "region": target.region if target else "",
        "role_arn": target.role_arn if target else "",
        "documents": documents,
        "pending": waiting.pending.count,
        "failing": waiting.failing.count,
        "parked": waiting.parked.count,
        "error": waiting.error,
    }


class Drift(BaseView):
    """Compare AWS IoT with the record, as a job."""

    permissions = {"POST": (CHANGE,)}
    takes = {"POST": DriftInput}
    returns = {"POST": Counted}
    success = {"POST": 202}

    def post(self, request: Request) -> HttpResponseBase:
        """Start the job. What it finds is in its lines, and a repair mends it on the way."""
        asked = self.body()
        count = len(chosen_targets(asked["target"])) * len(PARTS)
        if asked.pop("dry_run"):
            detail = f"{count} parts of targets would be compared."
            return Response(said("would-compare", detail, dry_run=True, count=count, job=None))

        def start() -> Response:
            job = start_comparison(
                asked["target"],
                deep=asked["deep"],
                repair=asked["repair"],
                reason=asked["reason"],
                actor=self.actor,
            )
            detail = "A job compares AWS IoT with the record. It begins within a minute."
            return Response(said("job-started", detail, count=count, job=job.pk), status=202)

        return self.carry_out(start)


class Reprovision(BaseView):
    """Have AWS IoT agree with the record of many certificates once more, as a job."""

    permissions = {"POST": (CHANGE,)}
    takes = {"POST": ReprovisionMatching}
    returns = {"POST": Counted}
    success = {"POST": 202}

    def post(self, request: Request) -> HttpResponseBase:
        """Start the job that gives what the filter leaves to the outbox, or count it."""
        asked = self.body()
        rows = certificates(asked["filter"]).rows
        count = provisionable(rows).count()
        if asked["dry_run"]:
            detail = f"{count} certificates would be given to the outbox."
            return Response(said("would-provision", detail, dry_run=True, count=count, job=None))

        def start() -> Response:
            job = start_reprovisioning(rows, reason=asked["reason"], actor=self.actor)
            detail = f"A job gives {job.total} certificates to the outbox."
            return Response(said("job-started", detail, count=count, job=job.pk), status=202)

        return self.carry_out(start)
