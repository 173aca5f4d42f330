"""The provisioning template and the IoT policy: versions and validation."""

from typing import Any

from django.http import HttpResponseBase
from rest_framework.exceptions import ValidationError

from estserver.api.etags import etag, expected_version, version_changed
from estserver.api.keyset import Order, Selection
from estserver.api.serializers.documents import (
    Document,
    DocumentSaved,
    NewText,
    Problems,
    RollBackInput,
    TextOnly,
)
from estserver.api.serializers.outputs import said
from estserver.api.views.base import BaseView, ListView, Request, Response, not_found
from iotprov.admin.texts import difference
from iotprov.documents.validation import problems_of
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
        if errors := [str(one) for one in problems_of(self.kind, body) if one.is_error]:
            raise ValidationError({"body": errors})
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
