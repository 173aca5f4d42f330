"""Pushing the provisioning template and the IoT policy to the targets.

A push compares first, and changes nothing if AWS has the document already. It can therefore be
repeated at any time, also after a call that timed out and took effect all the same.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from iotprov.client import is_code
from iotprov.conf import IoTTarget, iot_settings, setting_name
from iotprov.documents import aws_documents
from iotprov.documents.aws_documents import DefaultVersion, Written
from iotprov.documents.comparison import is_same_json, unified_diff
from iotprov.documents.kept import is_kept
from iotprov.documents.ownership import refuse_document_of_another
from iotprov.documents.place_warnings import place_warnings
from iotprov.documents.push_record import record_failed_push, record_push
from iotprov.documents.role import ProvisioningRole, ensure_role
from iotprov.documents.validation import check_document
from iotprov.documents.versions import Kind, body_for, body_in_force, current, name_of
from iotprov.template.reader import parse_template
from pki.operators.errors import OperatorError, RemoteFailure
from pki.record.audit_trail import Actor

PAUSES_FOR_A_NEW_ROLE = (3, 6, 12)
"""Seconds between attempts. AWS IoT can assume a role only some time after IAM has made it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a push to one target: a sentence, and further ones in ``notes``."""

    target: str
    line: str
    is_changed: bool = False
    aws_version: str = ""
    notes: tuple[str, ...] = ()
    diff: str = ""
    """In a dry run, what a push would change."""
    failure: OperatorError | None = None


def diff(kind: str, target: IoTTarget) -> str:
    """Return what a push would change, as a unified diff from AWS's text to the text in force.

    Both are indented JSON with sorted keys and placeholders filled. "" says that they are equal.
    Raises ``DocumentError`` for a document that cannot be used, and ``RemoteFailure``.
    """
    return unified_diff(kind, target, default_version(kind, target), body_for(kind, target))


def push(kind: str, target: IoTTarget, *, actor: Actor, dry_run: bool = False) -> Outcome:
    """Make ``target`` have the document in force. A dry run only returns what would change.

    A push of the template makes its role too (``iotprov.documents.role``), and needs the policy at
    the target. Raises ``DocumentError`` for a document with errors, ``OperatorError``, and
    ``RemoteFailure``. The failure is on record too (``DocumentPush.error``).
    """
    version = current(kind)
    body = version.body if version else body_in_force(kind)
    was_accepted = is_kept(kind, body)
    check_document(kind, body, is_kept=was_accepted)
    try:
        text = body_for(kind, target, body)
        # Filled placeholders may make it too long.
        check_document(kind, text, is_kept=was_accepted)
        push_kind = _push_policy if kind == Kind.POLICY else _push_template
        outcome = push_kind(target, text, dry_run)
        notes = (*outcome.notes, *place_warnings(kind, target, body))
        outcome = replace(outcome, notes=notes)
    except OperatorError as error:
        if not dry_run:
            record_failed_push(kind, target, error)
        raise
    if not dry_run:
        record_push(
            kind,
            target,
            version,
            body,
            aws_version=outcome.aws_version,
            changes=outcome.notes if outcome.is_changed else None,
            actor=actor,
        )
    return outcome


def push_everywhere(
    kind: str,
    *,
    actor: Actor,
    targets: Iterable[IoTTarget] | None = None,
    dry_run: bool = False,
) -> list[Outcome]:
    """Push to each target, by default all. The failure of one stops no other.

    Raises ``DocumentError`` before any push if the document has errors.
    """
    body = body_in_force(kind)
    check_document(kind, body, is_kept=is_kept(kind, body))
    outcomes = []
    for target in iot_settings().targets if targets is None else targets:
        try:
            outcomes.append(push(kind, target, actor=actor, dry_run=dry_run))
        except OperatorError as error:
            outcomes.append(Outcome(target.name, str(error), failure=error))
    return outcomes


# Policy


def _push_policy(target: IoTTarget, text: str, dry_run: bool) -> Outcome:
    name = name_of(Kind.POLICY)
    found = aws_documents.read_policy(target, name)
    if found is not None:
        refuse_document_of_another(Kind.POLICY, target, found)
    return _write(
        Kind.POLICY,
        target,
        text,
        found,
        dry_run=dry_run,
        calls=_Calls(
            create=lambda: aws_documents.create_policy(target, name, text),
            replace=lambda: aws_documents.replace_policy(target, name, text),
            version_to_delete=lambda: aws_documents.policy_version_to_delete(target, name),
        ),
    )


# Template


def _push_template(target: IoTTarget, text: str, dry_run: bool) -> Outcome:
    # Step 1: what has to be at the target before the template.
    name = name_of(Kind.TEMPLATE)
    found = aws_documents.read_provisioning_template(target, name)
    if found is not None and found.template_type != "JITP":
        raise OperatorError(
            f"{name} at {target.name} is a {found.template_type} template, and AWS IoT cannot "
            f"change that. Choose another {setting_name('template_name')}."
        )
    if found is not None:
        refuse_document_of_another(Kind.TEMPLATE, target, found)
    missing = _missing_policy(target, text)
    if missing and not dry_run:
        raise OperatorError(
            f"The template attaches the policy {missing}, which {target.name} does not have. Run "
            "manage.py sync_policy first."
        )

    # Step 2: the role that AWS IoT carries out the template with.
    role = ensure_role(target, dry_run=dry_run)
    change = "A push would {}." if dry_run else "The push had to {}."
    notes = [change.format(one) for one in role.changes]
    notes += role.warnings
    if missing:
        notes.append(f"The policy {missing} is not there. Run manage.py sync_policy first.")

    # Step 3: the text.
    outcome = _write(
        Kind.TEMPLATE,
        target,
        text,
        found,
        dry_run=dry_run,
        calls=_Calls(
            create=lambda: _create_template(target, name, text, role),
            replace=lambda: aws_documents.replace_template(target, name, text),
            version_to_delete=lambda: aws_documents.template_version_to_delete(target, name),
        ),
    )
    notes = [*notes, *outcome.notes]
    is_changed = outcome.is_changed or bool(role.changes)

    # Step 4: a template that existed is enabled, and gets the role.
    if found is not None and (found.role_arn != role.arn or not found.is_enabled):
        if not dry_run:
            aws_documents.update_template(target, name, role.arn)
        verb = "would be" if dry_run else "was"
        notes.append(f"The template {verb} enabled, with the role {role.arn}.")
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
    """The calls that write a document of one kind to a target."""

    create: Callable[[], Written]
    replace: Callable[[], Written]
    version_to_delete: Callable[[], str]


def _write(
    kind: Kind,
    target: IoTTarget,
    text: str,
    found: DefaultVersion | None,
    *,
    dry_run: bool,
    calls: _Calls,
) -> Outcome:
    # Step 1: compare. Layout does not count.
    name = name_of(kind)
    if found is not None and is_same_json(found.body, text):
        line = f"{name} is up to date (version {found.version})."
        return Outcome(target.name, line, False, found.version)

    # Step 2: a dry run ends here.
    if dry_run:
        verb = "be made" if found is None else f"change (version {found.version} now)"
        deleted = calls.version_to_delete() if found else ""
        return Outcome(
            target.name,
            f"{name} would {verb}.",
            True,
            notes=_deletion_notes(deleted, "would be"),
            diff=unified_diff(kind, target, found, text),
        )

    # Step 3: write.
    try:
        written = calls.create() if found is None else calls.replace()
    except RemoteFailure as error:
        # After a timeout botocore repeats the call, which then meets what the first one made.
        if not is_code(error, "ResourceAlreadyExistsException"):
            raise
        existing = default_version(kind, target)
        if existing is None or not is_same_json(existing.body, text):
            raise
        written = Written(existing.version)
    verb = "made" if found is None else "changed"
    line = f"{name} was {verb} (version {written.version})."
    notes = _deletion_notes(written.removed, "was")
    return Outcome(target.name, line, True, written.version, notes)


def _deletion_notes(version: str, verb: str) -> tuple[str, ...]:
    if not version:
        return ()
    return (
        f"AWS keeps {aws_documents.MAX_VERSIONS} versions. "
        f"The oldest, version {version}, {verb} deleted.",
    )


def default_version(kind: str, target: IoTTarget) -> DefaultVersion | None:
    """Return what AWS has of the document at ``target``, or ``None``. Raises ``RemoteFailure``."""
    read = (
        aws_documents.read_policy
        if kind == Kind.POLICY
        else aws_documents.read_provisioning_template
    )
    return read(target, name_of(kind))
