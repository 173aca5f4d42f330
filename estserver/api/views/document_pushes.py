"""Pushing template and policy to AWS IoT, and what would be made of a device there."""

from typing import Any

from django.http import HttpResponseBase
from rest_framework.exceptions import ValidationError

from estserver.api.serializers.documents import Preview, PreviewInput, Pushed, PushInput
from estserver.api.views.base import BaseView, Request, Response
from estserver.api.views.documents import DocumentView
from iotprov import client
from iotprov.admin.targets import while_there_is_time
from iotprov.conf import IoTTarget, targets_named
from iotprov.documents.before_push import name_to_type
from iotprov.documents.preview import Source, parse_source, preview
from iotprov.documents.push import Outcome, push_everywhere
from iotprov.documents.versions import Kind, body_in_force
from pki.operators.errors import OperatorError
from pki.revocation.revoke import find_certificate


class DocumentPush(DocumentView):
    """Push the text in force to AWS IoT."""

    verbs = {"POST": "change"}
    takes = {"POST": PushInput}
    returns = {"POST": Pushed}

    def post(self, request: Request, kind: str) -> HttpResponseBase:
        """Push the text in force to the targets, or say what a push would change there."""
        asked = self.body()
        targets = chosen_targets(asked["target"])
        name = "" if asked["dry_run"] else name_to_type(self.kind, self.in_force())
        if name and asked["confirm"] != name:
            raise ValidationError(
                {"confirm": f"The policy allows every action of AWS IoT. Give its name, {name}."}
            )

        def push() -> Response:
            outcomes: list[Outcome] = []
            for target in while_there_is_time(targets):
                outcomes += push_everywhere(
                    self.kind, actor=self.actor, targets=[target], dry_run=asked["dry_run"]
                )
            rows = [_outcome(one) for one in outcomes]
            rows += [_no_time(one) for one in targets[len(outcomes) :]]
            return Response({"dry_run": asked["dry_run"], "outcomes": rows})

        return push() if asked["dry_run"] else self.carry_out(push)


def chosen_targets(name: str) -> tuple[IoTTarget, ...]:
    """Return the target of that name, or all. Raises ``ValidationError``."""
    try:
        return targets_named(name)
    except OperatorError as error:
        raise ValidationError({"target": str(error)}) from error


def _outcome(one: Outcome) -> dict[str, Any]:
    return {
        "target": one.target,
        "is_changed": one.is_changed,
        "is_failed": one.failure is not None,
        "detail": one.line,
        "aws_version": one.aws_version,
        "notes": list(one.notes),
        "diff": one.diff,
    }


def _no_time(target: IoTTarget) -> dict[str, Any]:
    failed = OperatorError("There was no time left. Push again.")
    return _outcome(Outcome(target.name, str(failed), failure=failed))


class DocumentPreview(BaseView):
    """Preview what JITP would make of a device."""

    permissions = {"POST": ("iotprov.view_templateversion", "iotprov.view_policyversion")}
    takes = {"POST": PreviewInput}
    returns = {"POST": Preview}
    is_question = True

    def post(self, request: Request) -> HttpResponseBase:
        """Return the thing that would be made of a certificate or CSR, and its policy."""
        asked = self.body()
        place: dict[str, str] = {}
        if asked["target"]:
            (target,) = chosen_targets(asked["target"])
            place = {
                "account": client.account_of(target),
                "region": client.region_of(target),
                "partition": client.partition_of(target),
            }
        found = preview(
            _source(asked),
            template_body=body_in_force(Kind.TEMPLATE),
            policy_body=body_in_force(Kind.POLICY),
            **place,
        )
        return Response(Preview(found.as_json()).data)


def _source(asked: dict[str, Any]) -> Source:
    if asked["pem"]:
        try:
            return parse_source(asked["pem"].encode(), "The text")
        except OperatorError as error:
            raise ValidationError({"pem": str(error)}) from error
    try:
        row = find_certificate(asked["certificate"])
        return row.to_x509()
    except OperatorError as error:
        raise ValidationError({"certificate": str(error)}) from error
