"""The provisioning template and the IoT policy: versions, validation, preview, push."""

from typing import Any

from django.http import HttpResponseBase
from rest_framework.exceptions import ValidationError

from estserver.api.etags import etag, expected_version, version_changed
from estserver.api.keyset import Order, Selection
from estserver.api.serializers.documents import (
    Document,
    DocumentSaved,
    NewText,
    Preview,
    PreviewInput,
    Problems,
    Pushed,
    PushInput,
    RollBackInput,
    TextOnly,
)
from estserver.api.serializers.outputs import said
from estserver.api.views.base import BaseView, ListView, Request, Response, not_found
from iotprov import client
from iotprov.admin.targets import while_there_is_time
from iotprov.admin.texts import difference
from iotprov.conf import IoTTarget, targets_named
from iotprov.documents.preview import Source, parse_source, preview
from iotprov.documents.push import Outcome, push_everywhere
from iotprov.documents.validation import check_document, problems_of
from iotprov.documents.versions import (
    Kind,
    VersionChanged,
    add_version,
    body_in_force,
    current,
    name_of,
    number_in_force,
    roll_back,
)
from iotprov.exceptions import DocumentError
from iotprov.json_text.located import Problem
from iotprov.models import DocumentVersion
from pki.operators.errors import OperatorError
from pki.revocation.revoke import find_certificate


class DocumentView(BaseView):
    """A call about the template or the policy, which the address names."""

    verbs: dict[str, str]
    """By method, what has to be allowed on the versions: view, add or change."""

    @property
    def permissions(self) -> dict[str, tuple[str, ...]]:  # type: ignore[override]
        """Return the permissions on the kind of document."""
        kind = self.kwargs.get("kind", Kind.TEMPLATE)
        if kind not in Kind.values:
            raise not_found(f"There is no document {kind!a}. Use template or policy.")
        return {method: (f"iotprov.{verb}_{kind}version",) for method, verb in self.verbs.items()}

    @property
    def kind(self) -> Kind:
        """The kind of document."""
        return Kind(self.kwargs["kind"])

    def in_force(self) -> str:
        """Return the text in force, or "" while the configured file cannot be read."""
        try:
            return body_in_force(self.kind)
        except DocumentError:
            return ""


def problems_as_json(problems: list[Problem]) -> list[dict[str, Any]]:
    """Return the problems with their places."""
    return [
        {
            "line": one.place.line,
            "column": one.place.column,
            "severity": str(one.severity),
            "message": one.message,
        }
        for one in problems
    ]


class DocumentInForce(DocumentView):
    """The version in force."""

    verbs = {"GET": "view", "PUT": "add"}
    takes = {"PUT": NewText}
    returns = {"GET": Document, "PUT": DocumentSaved}
    has_etag = True

    def get(self, request: Request, kind: str) -> HttpResponseBase:
        """Return the version in force, whose number is in ETag; 0 is the configured file."""
        version = current(self.kind)
        found = version or DocumentVersion(
            kind=self.kind, name=name_of(self.kind), number=0, body=body_in_force(self.kind)
        )
        if version is None:
            found.created_at = None  # type: ignore[assignment]  # the file is not on record
        return Response(Document(found).data, headers={"ETag": etag(found.number)})

    def put(self, request: Request, kind: str) -> HttpResponseBase:
        """Put a text in force as a new version. No target has it before it is pushed."""
        expected, asked = expected_version(request), self.body()
        body = asked["body"]
        self._check_version(expected, body)
        try:
            check_document(self.kind, body)
        except DocumentError as error:
            errors = problems_as_json(problems_of(self.kind, body))
            raise ValidationError({"body": str(error)}, code=str(errors)) from error
        if asked["dry_run"]:
            number = number_in_force(self.kind) + 1
            return Response(self._saved(number, body, self.in_force(), dry_run=True))
        before = self.in_force()
        try:
            version = add_version(
                self.kind, body, actor=self.actor, reason=asked["reason"], based_on=expected
            )
        except VersionChanged as changed:
            raise self._changed(changed.version, body) from changed
        answer = self._saved(version.number, body, before)
        return Response(answer, headers={"ETag": etag(version.number)})

    def _check_version(self, expected: int | None, body: str) -> None:
        version = current(self.kind)
        number = version.number if version else 0
        if expected in (None, number):
            return
        if version is None:
            raise version_changed("The configured file is in force, which is v0.", number=0)
        raise self._changed(version, body)

    def _changed(self, version: DocumentVersion, body: str) -> Exception:
        changes = difference(version.body, body, str(version), "your text")
        return version_changed(
            f"{version} is in force. Nothing was saved.", changes, number=version.number
        )

    def _saved(
        self, number: int, body: str, before: str, *, dry_run: bool = False
    ) -> dict[str, Any]:
        return said(
            "would-save" if dry_run else "saved",
            f"Version {number} {'would be' if dry_run else 'is'} in force.",
            dry_run=dry_run,
            number=number,
            diff=difference(before, body, "before", f"v{number}"),
            problems=problems_as_json(problems_of(self.kind, body)),
        )


class DocumentVersions(ListView, DocumentView):
    """The versions on record, newest first."""

    verbs = {"GET": "view"}
    row = Document

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return the versions of the configured name."""
        rows = DocumentVersion.objects.filter(kind=self.kind, name=name_of(self.kind))
        return Selection(rows, Order("number"))


class DocumentByNumber(DocumentView):
    """One version."""

    verbs = {"GET": "view"}
    returns = {"GET": Document}

    def get(self, request: Request, kind: str, number: int) -> HttpResponseBase:
        """Return one version on record."""
        rows = DocumentVersion.objects.filter(kind=self.kind, name=name_of(self.kind))
        found = rows.filter(number=min(number, 2**31 - 1)).first()
        if found is None:
            raise not_found(f"{name_of(self.kind)} has no version {number}.")
        return Response(Document(found).data)


class DocumentValidate(DocumentView):
    """Look at a text."""

    verbs = {"POST": "view"}
    takes = {"POST": TextOnly}
    returns = {"POST": Problems}
    is_question = True

    def post(self, request: Request, kind: str) -> HttpResponseBase:
        """Return the problems of a text, by line and column. Nothing changes."""
        found = problems_of(self.kind, self.body()["body"])
        usable = not any(one.is_error for one in found)
        return Response({"is_usable": usable, "problems": problems_as_json(found)})


class DocumentRollBack(DocumentView):
    """Put an old version's text in force again."""

    verbs = {"POST": "add"}
    takes = {"POST": RollBackInput}
    returns = {"POST": DocumentSaved}
    needs_if_match = True

    def post(self, request: Request, kind: str) -> HttpResponseBase:
        """Put an old version's text in force again, as a new version."""
        expected, asked = expected_version(request), self.body()
        rows = DocumentVersion.objects.filter(kind=self.kind, name=name_of(self.kind))
        old = rows.filter(number=min(asked["number"], 2**31 - 1)).first()
        if old is None:
            raise ValidationError({"number": f"There is no version {asked['number']}."})
        number, before = number_in_force(self.kind), self.in_force()
        if expected not in (None, number):
            raise version_changed(f"Version {number} is in force.", number=number)

        def answer(number: int) -> dict[str, Any]:
            would = asked["dry_run"]
            detail = f"The text of v{old.number} {'would be' if would else 'is'} in force."
            return said(
                "would-save" if would else "saved",
                detail,
                dry_run=would,
                number=number,
                diff=difference(before, old.body, "before", f"v{old.number}"),
                problems=problems_as_json(problems_of(self.kind, old.body)),
            )

        if asked["dry_run"]:
            return Response(answer(number + 1))

        def back() -> Response:
            try:
                version = roll_back(
                    self.kind,
                    old.number,
                    actor=self.actor,
                    reason=asked["reason"],
                    based_on=expected,
                )
            except VersionChanged as changed:
                raise version_changed(str(changed), number=changed.version.number) from changed
            return Response(answer(version.number), headers={"ETag": etag(version.number)})

        return self.carry_out(back)


class DocumentPush(DocumentView):
    """Push the text in force to AWS IoT."""

    verbs = {"POST": "change"}
    takes = {"POST": PushInput}
    returns = {"POST": Pushed}

    def post(self, request: Request, kind: str) -> HttpResponseBase:
        """Push the text in force to the targets, or say what a push would change there."""
        asked = self.body()
        targets = chosen_targets(asked["target"])

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
