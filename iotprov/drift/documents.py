"""Comparison of the IoT policy, the provisioning template and its role with the record."""

from collections.abc import Iterator

from iotprov.conf import IoTTarget, iot_settings, setting_name
from iotprov.documents import aws_documents
from iotprov.documents.aws_documents import DefaultVersion
from iotprov.documents.comparison import is_same_json
from iotprov.documents.role import ensure_role
from iotprov.documents.validation import provisioned_profiles
from iotprov.documents.versions import body_for, current, name_of
from iotprov.drift.differences import MENDED_BY_REPAIR, Difference, Direction
from iotprov.drift.differences import Kind as What
from iotprov.models import DocumentPush, DocumentVersion
from pki.operators.errors import OperatorError, RemoteFailure

Kind = DocumentVersion.Kind

_JITP = "JITP"


def policy_differences(target: IoTTarget) -> Iterator[Difference]:
    """Compare the IoT policy. Raises ``RemoteFailure``, or ``DocumentError`` for the record's."""
    if _is_expected(Kind.POLICY, target):
        found = aws_documents.read_policy(target, name_of(Kind.POLICY))
        yield from _text_differences(Kind.POLICY, target, found)


def template_differences(target: IoTTarget) -> Iterator[Difference]:
    """Compare the provisioning template, then its role.

    Raises ``RemoteFailure``, or ``DocumentError`` for the record's template.
    """
    if not _is_expected(Kind.TEMPLATE, target):
        return
    name = name_of(Kind.TEMPLATE)
    found = aws_documents.read_provisioning_template(target, name)
    if found is not None and found.template_type != _JITP:
        yield Difference(
            target.name,
            What.TEMPLATE,
            name,
            f"type {_JITP}",
            f"type {found.template_type}",
            Direction.DIFFERS,
            is_ours=False,
            advice=f"AWS IoT cannot change that. Choose another {setting_name('template_name')}.",
        )
        return
    yield from _text_differences(Kind.TEMPLATE, target, found)
    yield from _role_differences(target, found)


def _is_expected(kind: Kind, target: IoTTarget) -> bool:
    """Return whether AWS should have the document: it is in use, or was pushed before."""
    if iot_settings().configure_jitp or (kind == Kind.POLICY and provisioned_profiles()):
        return True
    pushed = DocumentPush.objects.filter(kind=kind, name=name_of(kind), target=target.name)
    return pushed.exclude(pushed_at=None).exists()


def _text_differences(
    kind: Kind, target: IoTTarget, found: DefaultVersion | None
) -> Iterator[Difference]:
    # Step 1: the text in force, and the version that was pushed last.
    text, name = body_for(kind, target), name_of(kind)
    version = current(kind)
    here = str(version) if version else "the configured file"
    where = DocumentPush.objects.filter(kind=kind, name=name, target=target.name)
    pushed = where.values_list("aws_version", flat=True).first() or ""

    def difference(ours: str, theirs: str, direction: Direction, advice: str) -> Difference:
        what = What.POLICY if kind == Kind.POLICY else What.TEMPLATE
        return Difference(target.name, what, name, ours, theirs, direction, True, advice)

    # Step 2: a missing document, another text, or the same text written by another party.
    if found is None:
        yield difference(here, "", Direction.HERE_ONLY, MENDED_BY_REPAIR)
        return
    is_other_version = pushed not in ("", found.version)
    if not is_same_json(found.body, text):
        there = f"another text, version {found.version}"
        if is_other_version:
            there += f" (version {pushed} was pushed last)"
        advice = f"sync_{kind} --dry-run shows the difference. {MENDED_BY_REPAIR}"
        yield difference(here, there, Direction.DIFFERS, advice)
    elif is_other_version:
        yield difference(
            f"version {pushed}",
            f"version {found.version}, of the same text",
            Direction.DIFFERS,
            f"It was written or put in force by another party. {MENDED_BY_REPAIR}",
        )


def _role_differences(target: IoTTarget, found: DefaultVersion | None) -> Iterator[Difference]:
    chosen = iot_settings()

    def difference(
        what: What, ours: str, theirs: str, *, advice: str = MENDED_BY_REPAIR, is_ours: bool = True
    ) -> Difference:
        name = chosen.template_name if what is What.TEMPLATE else chosen.provisioning_role_name
        direction = Direction.DIFFERS if theirs else Direction.HERE_ONLY
        return Difference(target.name, what, name, ours, theirs, direction, is_ours, advice)

    # Step 1: the role by itself.
    try:
        role = ensure_role(target, dry_run=True)
    except RemoteFailure:
        raise
    except OperatorError as error:
        trust = "trusted by AWS IoT", "not trusted by it"
        yield difference(What.ROLE, *trust, advice=str(error), is_ours=False)
        return
    if role.is_new:
        yield difference(What.ROLE, "a role for JITP", "")
    else:
        for change in role.changes:
            advice = f"Run drift --repair, which would {change}."
            yield difference(What.ROLE, "as this server made it", "changed", advice=advice)
    for warning in role.warnings:
        yield difference(
            What.ROLE, "no more than JITP needs", "more, or less", advice=warning, is_ours=False
        )

    # Step 2: the template works with the role, and is enabled.
    if found is None:
        return
    if found.role_arn != role.arn:
        theirs = f"works with {found.role_arn or 'no role'}"
        yield difference(What.TEMPLATE, f"works with {role.arn}", theirs)
    if not found.is_enabled:
        yield difference(What.TEMPLATE, "enabled", "disabled")
