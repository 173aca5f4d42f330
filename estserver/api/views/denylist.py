"""The denylist: list, add, end, import as a job, and ask whether it refuses something."""

import uuid
from collections import Counter
from typing import Any

from django.http import HttpResponseBase
from rest_framework.exceptions import ValidationError

from estserver.api.keyset import Selection
from estserver.api.permissions import require
from estserver.api.selections import denylist_entries
from estserver.api.serializers.denylist import (
    Denied,
    DenyInput,
    DenylistPage,
    EndInput,
    Entry,
    Imported,
    ImportInput,
    TestInput,
    Verdict,
)
from estserver.api.serializers.outputs import Said, said
from estserver.api.views.base import BaseView, ListView, Request, Response, not_found
from pki.denylist.adding import Outcome, entry_on_record, outcome_of_adding, terms_in_words
from pki.denylist.csv_import import FileRefused, compare, read_lines
from pki.denylist.entries import allow, certificates_concerned, certificates_named, deny
from pki.denylist.kinds import normalize, signed_part
from pki.denylist.verdict import denylist_verdict
from pki.jobs.denying import start_import
from pki.models import DenylistEntry
from pki.operators.errors import OperatorError
from pki.record.bounded_counts import count_up_to
from pki.revocation.revoke import revoke_certificates

VIEW = "pki.view_denylistentry"
ADD = "pki.add_denylistentry"
CHANGE = "pki.change_denylistentry"
DELETE = "pki.delete_denylistentry"
REVOKE = "pki.change_issuedcertificate"
REVOCATION_REASON = "privilegeWithdrawn"
MOST_LINES_SHOWN = 500


def entry_with(pk: uuid.UUID) -> DenylistEntry:
    """Return the entry. Raises ``APIRefusal`` if it is not on the list."""
    row = DenylistEntry.objects.on_list().select_related("batch").filter(pk=pk).first()
    if row is None:
        raise not_found(f"There is no entry {pk} on the denylist.")
    return row


class Denylist(ListView):
    """The entries of the denylist, newest first."""

    permissions = {"GET": (VIEW,), "POST": (ADD,)}
    query = DenylistPage
    row = Entry
    takes = {"POST": DenyInput}
    returns = {"POST": Denied}
    success = {"POST": 201}

    def select(self, filters: dict[str, Any]) -> Selection:
        """Return the entries that the filters leave."""
        return denylist_entries(filters)

    def post(self, request: Request) -> HttpResponseBase:
        """Deny something: nothing is issued to it any more when this is answered."""
        asked = self.body()
        # Step 1: what only some roles may do beside adding, as on the page.
        if asked["replace"]:
            require(request.user, CHANGE)
        if asked["revoke"]:
            require(request.user, REVOKE)
        # Step 2: the value.
        kind = asked["kind"]
        try:
            value, signed = normalize(kind, asked["value"]), signed_part(kind, asked["value"])
        except OperatorError as error:
            raise ValidationError({"value": str(error)}) from error
        # Step 3: say it, or do it.
        if asked["dry_run"]:
            return Response(_would_deny(kind, value, asked))
        return self.carry_out(lambda: self._deny(kind, value, signed, asked))

    def _deny(self, kind: str, value: str, signed: str | None, asked: dict[str, Any]) -> Response:
        outcome = deny(
            kind,
            value,
            reason=asked["reason"],
            expires_at=asked["expires"],
            signed_sha256=signed,
            is_replacing=asked["replace"],
            actor=self.actor,
        )
        if outcome is Outcome.KEPT:
            raise _kept(kind, value)
        revoked = 0
        if asked["revoke"]:
            revoked = revoke_certificates(
                certificates_named(kind, value).live(),
                reason=REVOCATION_REASON,
                actor=self.actor,
                comment=asked["reason"],
            )
        detail = f"{kind} {value} is on the denylist."
        return Response(_denied(kind, value, outcome, detail, revoked=revoked), status=201)


def _kept(kind: str, value: str) -> OperatorError:
    entry = entry_on_record(kind, value)
    terms = f", {terms_in_words(entry)}" if entry else ""
    return OperatorError(
        f"{kind} {value} is on the denylist already{terms}. Nothing was changed. To give the entry "
        "this reason and end, send 'replace': true."
    )


def _would_deny(kind: str, value: str, asked: dict[str, Any]) -> dict[str, Any]:
    outcome = outcome_of_adding(
        entry_on_record(kind, value),
        asked["reason"],
        asked["expires"],
        is_replacing=asked["replace"],
    )
    if outcome is Outcome.KEPT:
        raise _kept(kind, value)
    detail = f"{kind} {value} would be on the denylist."
    return _denied(kind, value, outcome, detail, dry_run=True)


def _denied(
    kind: str, value: str, outcome: Outcome, detail: str, *, revoked: int = 0, dry_run: bool = False
) -> dict[str, Any]:
    entry = entry_on_record(kind, value)
    return said(
        outcome,
        detail,
        dry_run=dry_run,
        entry=Entry(entry).data if entry else None,
        live_certificates=count_up_to(certificates_concerned(kind, value).live()),
        revoked=revoked,
    )


class DenylistDetail(BaseView):
    """One entry of the denylist."""

    permissions = {"GET": (VIEW,)}
    returns = {"GET": Entry}

    def get(self, request: Request, entry: uuid.UUID) -> HttpResponseBase:
        """Return one entry."""
        return Response(Entry(entry_with(entry)).data)


class DenylistEnd(BaseView):
    """Take an entry off the denylist."""

    permissions = {"POST": (DELETE,)}
    takes = {"POST": EndInput}
    returns = {"POST": Said}

    def post(self, request: Request, entry: uuid.UUID) -> HttpResponseBase:
        """Take an entry off the denylist. What it named may enroll again."""
        asked, row = self.body(), entry_with(entry)
        if asked["dry_run"]:
            return Response(said("would-end", f"{row} would be allowed again.", dry_run=True))

        def end() -> Response:
            gone = allow(row.kind, row.value, reason=asked["reason"], actor=self.actor)
            words = "is allowed again" if gone else "was allowed already"
            return Response(said("ended" if gone else "was-ended", f"{row} {words}."))

        return self.carry_out(end)


class DenylistImport(BaseView):
    """Deny everything in a CSV file, as a job."""

    permissions = {"POST": (ADD,)}
    takes = {"POST": ImportInput}
    returns = {"POST": Imported}
    success = {"POST": 202}

    def post(self, request: Request) -> HttpResponseBase:
        """Start the job that imports the file, or say what each line would do."""
        asked = self.body()
        if asked["replace"]:
            require(request.user, CHANGE)
        try:
            lines = read_lines(asked["csv"].encode(), default_reason=asked["reason"])
        except FileRefused as refusal:
            raise ValidationError({"csv": list(refusal.complaints)}) from refusal
        if asked["dry_run"]:
            found = compare(lines, is_replacing=asked["replace"])
            rows = [
                {"line": one.number, "kind": one.kind, "value": one.value, "outcome": outcome}
                for one, outcome in zip(lines[:MOST_LINES_SHOWN], found, strict=False)
            ]
            detail = f"{len(lines)} lines would be imported."
            more = {"outcomes": Counter(map(str, found)), "lines": rows}
            answer = said("would-import", detail, dry_run=True, count=len(lines), job=None, **more)
            return Response(answer)

        def start() -> Response:
            job = start_import(lines, is_replacing=asked["replace"], actor=self.actor)
            detail = f"A job imports {job.total} lines. It goes on within a minute."
            more: dict[str, Any] = {"count": job.total, "job": job.pk, "outcomes": {}, "lines": []}
            return Response(said("job-started", detail, **more), status=202)

        return self.carry_out(start)


class DenylistTest(BaseView):
    """Ask whether the denylist refuses something."""

    permissions = {"POST": (VIEW,)}
    takes = {"POST": TestInput}
    returns = {"POST": Verdict}
    is_question = True

    def post(self, request: Request) -> HttpResponseBase:
        """Say whether the denylist refuses something, and by which entries. Nothing changes."""
        asked = self.body()
        try:
            return Response(denylist_verdict(asked["asked"]).as_json())
        except OperatorError as error:
            raise ValidationError({"asked": str(error)}) from error
