"""Taking template and policy to the targets: what differs, pushing it, and what is on record of it.

A push compares first and changes nothing when AWS holds the document already, so it may be
repeated at any time; a call that timed out after it worked is found to have worked.
"""

import difflib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from iotprov.client import is_code
from iotprov.conf import IoTTarget, iot_settings, setting_name
from iotprov.documents import aws_documents
from iotprov.documents.aws_documents import DefaultVersion, Written
from iotprov.documents.role import ProvisioningRole, ensure_role
from iotprov.documents.validation import check_document
from iotprov.documents.versions import Kind, body_for, body_in_force, current, name_of
from iotprov.models import DocumentPush, DocumentVersion
from iotprov.models.documents import sha256_of
from iotprov.template.reader import parse_template
from pki.operators.errors import OperatorError, RemoteFailure
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

PAUSES_FOR_A_NEW_ROLE = (3, 6, 12)
"""Seconds between tries. IAM takes a while until AWS IoT can assume a role that was just made."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a push to one target, in a line; ``notes`` are further ones."""

    target: str
    line: str
    is_changed: bool = False
    aws_version: str = ""
    notes: tuple[str, ...] = ()
    diff: str = ""
    """Filled by a dry run: what a push would change."""
    failure: OperatorError | None = None


def diff(kind: str, target: IoTTarget) -> str:
    """What a push would change, as a unified diff from what AWS holds to what is in force.

    Both as indented JSON with sorted keys, placeholders filled; "" when they are the same. Raises
    ``DocumentError`` for a document that can't be used, ``RemoteFailure``.
    """
    return _difference(kind, target, _held(kind, target), body_for(kind, target))


def push(kind: str, target: IoTTarget, *, actor: Actor, dry_run: bool = False) -> Outcome:
    """Make ``target`` hold the document that is in force; a dry run only says what would change.

    The template takes its role along (``iotprov.documents.role``), and its policy must be at the
    target already. Raises ``DocumentError`` for a document with errors, ``OperatorError``, and
    ``RemoteFailure``; what went wrong is on record too (``DocumentPush.error``).
    """
    version = current(kind)
    body = version.body if version else body_in_force(kind)
    check_document(kind, body)
    try:
        text = body_for(kind, target, body)
        check_document(kind, text)  # what was filled may have made it too long
        pushing = _push_policy if kind == Kind.POLICY else _push_template
        outcome = pushing(target, text, dry_run)
    except OperatorError as error:
        if not dry_run:
            _record_failure(kind, target, error)
        raise
    if not dry_run:
        _record_success(kind, target, version, body, outcome, actor)
    return outcome


def push_everywhere(
    kind: str,
    *,
    actor: Actor,
    targets: Iterable[IoTTarget] | None = None,
    dry_run: bool = False,
) -> list[Outcome]:
    """``push`` to each target, or to ``targets``; one that fails keeps no other waiting.

    Raises ``DocumentError`` at once when the document can't be used anywhere.
    """
    check_document(kind, body_in_force(kind))
    outcomes = []
    for target in iot_settings().targets if targets is None else targets:
        try:
            outcomes.append(push(kind, target, actor=actor, dry_run=dry_run))
        except OperatorError as error:
            outcomes.append(Outcome(target.name, str(error), failure=error))
    return outcomes


def pending_targets(kind: str) -> tuple[str, ...]:
    """The targets that don't hold what is in force, as far as we know; AWS isn't asked.

    Raises ``DocumentError`` when there is no version and the file can't be read.
    """
    body = body_in_force(kind)
    rows = DocumentPush.objects.filter(kind=kind, name=name_of(kind))
    held_there = {row.target for row in rows if not row.is_pending(body)}
    names = (target.name for target in iot_settings().targets)
    return tuple(name for name in names if name not in held_there)


# Policy


def _push_policy(target: IoTTarget, text: str, dry_run: bool) -> Outcome:
    name = name_of(Kind.POLICY)
    found = aws_documents.read_policy(target, name)
    return _write(
        Kind.POLICY,
        target,
        text,
        found,
        dry_run=dry_run,
        calls=_Calls(
            create=lambda: aws_documents.create_policy(target, name, text),
            replace=lambda: aws_documents.replace_policy(target, name, text),
            superfluous=lambda: aws_documents.superfluous_policy_version(target, name),
        ),
    )


# Template


def _push_template(target: IoTTarget, text: str, dry_run: bool) -> Outcome:
    name = name_of(Kind.TEMPLATE)
    found = aws_documents.read_provisioning_template(target, name)
    if found is not None and found.template_type != "JITP":
        raise OperatorError(
            f"{name} at {target.name} is a {found.template_type} template, and AWS IoT can't "
            f"change that: choose another {setting_name('template_name')}"
        )
    missing = _missing_policy(target, text)
    if missing and not dry_run:
        raise OperatorError(
            f"the template attaches the policy {missing}, which {target.name} doesn't hold: run "
            "manage.py sync_policy first"
        )
    role = ensure_role(target, dry_run=dry_run)
    notes = [*((f"would be done: {one}" for one in role.done) if dry_run else role.done)]
    notes += role.warnings
    if missing:
        notes.append(f"the policy {missing} isn't there: manage.py sync_policy comes first")
    outcome = _write(
        Kind.TEMPLATE,
        target,
        text,
        found,
        dry_run=dry_run,
        calls=_Calls(
            create=lambda: _create_template(target, name, text, role),
            replace=lambda: aws_documents.replace_template(target, name, text),
            superfluous=lambda: aws_documents.superfluous_template_version(target, name),
        ),
    )
    notes = [*notes, *outcome.notes]
    is_changed = outcome.is_changed or bool(role.done)
    if found is not None and (found.role_arn != role.arn or not found.is_enabled):
        what = f"enabled, with the role {role.arn}"
        if not dry_run:
            aws_documents.update_template(target, name, role.arn)
        notes.append(f"it would be {what}" if dry_run else f"it is {what} now")
        is_changed = True
    return Outcome(
        target.name, outcome.line, is_changed, outcome.aws_version, tuple(notes), outcome.diff
    )


def _missing_policy(target: IoTTarget, text: str) -> str:
    for policy in parse_template(text).policies:
        if aws_documents.read_policy(target, policy.name) is None:
            return policy.name
    return ""


def _create_template(target: IoTTarget, name: str, text: str, role: ProvisioningRole) -> Written:
    for pause in PAUSES_FOR_A_NEW_ROLE if role.is_new else ():
        try:
            return aws_documents.create_template(target, name, text, role.arn)
        except RemoteFailure as error:
            if not is_code(error, "InvalidRequestException"):
                raise
        time.sleep(pause)
    return aws_documents.create_template(target, name, text, role.arn)


# Both


@dataclass(frozen=True, slots=True)
class _Calls:
    """How a document gets to a target."""

    create: Callable[[], Written]
    replace: Callable[[], Written]
    superfluous: Callable[[], str]


def _write(
    kind: Kind,
    target: IoTTarget,
    text: str,
    found: DefaultVersion | None,
    *,
    dry_run: bool,
    calls: _Calls,
) -> Outcome:
    name = name_of(kind)
    if found is not None and _same(found.body, text):
        return Outcome(
            target.name, f"{name} is up to date (version {found.version})", False, found.version
        )
    if dry_run:
        verb = "be made" if found is None else f"change (version {found.version} now)"
        removed = calls.superfluous() if found else ""
        difference = _difference(kind, target, found, text)
        notes = _removal(removed, "would be")
        return Outcome(target.name, f"{name} would {verb}", True, notes=notes, diff=difference)
    try:
        written = calls.create() if found is None else calls.replace()
    except RemoteFailure as error:
        # A repetition of botocore's own, after a timeout, meets what the first try made.
        again = _held(kind, target) if is_code(error, "ResourceAlreadyExistsException") else None
        if again is None or not _same(again.body, text):
            raise
        written = Written(again.version)
    verb = "made" if found is None else "changed"
    line = f"{name} was {verb} (version {written.version})"
    return Outcome(target.name, line, True, written.version, _removal(written.removed, "was"))


def _removal(version: str, tense: str) -> tuple[str, ...]:
    if not version:
        return ()
    return (
        f"AWS keeps {aws_documents.MAX_VERSIONS} versions: the oldest, {version}, {tense} deleted",
    )


def _held(kind: str, target: IoTTarget) -> DefaultVersion | None:
    read = (
        aws_documents.read_policy
        if kind == Kind.POLICY
        else aws_documents.read_provisioning_template
    )
    return read(target, name_of(kind))


def _difference(kind: str, target: IoTTarget, found: DefaultVersion | None, text: str) -> str:
    name = name_of(kind)
    there = "nothing" if found is None else f"version {found.version}"
    lines = difflib.unified_diff(
        _pretty(found.body) if found else [],
        _pretty(text),
        f"{name} at {target.name} ({there})",
        f"{name} here",
        lineterm="",
    )
    return "\n".join(lines)


def _same(one: str, other: str) -> bool:
    return _pretty(one) == _pretty(other)


def _pretty(body: str) -> list[str]:
    try:
        data = json.loads(body)
    except ValueError:  # not from us; shown as it is
        return body.splitlines()
    return json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False).splitlines()


# On record


def _record_success(
    kind: str,
    target: IoTTarget,
    version: DocumentVersion | None,
    body: str,
    outcome: Outcome,
    actor: Actor,
) -> None:
    def write() -> None:
        _record(
            kind,
            target,
            version=version,
            body_sha256=sha256_of(body),
            aws_version=outcome.aws_version,
            error="",
            pushed_at=timezone.now(),
        )
        if outcome.is_changed:
            audit_trail.record(
                f"push-iot-{kind}",
                actor=actor,
                target=f"iot-{kind}:{name_of(kind)}@{target.name}",
                after={
                    "number": version.number if version else None,
                    "aws_version": outcome.aws_version,
                    "notes": list(outcome.notes),
                },
            )

    in_write_transaction(write)


def _record_failure(kind: str, target: IoTTarget, error: OperatorError) -> None:
    in_write_transaction(lambda: _record(kind, target, error=str(error)[:1000]))


def _record(kind: str, target: IoTTarget, **values: Any) -> None:
    """Update the target's row, or write it; whoever comes second finds it (``in_write_...``)."""
    where = {"kind": kind, "name": name_of(kind), "target": target.name}
    if not DocumentPush.objects.filter(**where).update(**values):
        DocumentPush.objects.create(**where, **values)
