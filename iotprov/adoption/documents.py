"""Template and policy of an existing installation, recorded as the first version."""

import json
from typing import Any

from iotprov import client
from iotprov.adoption.lines import Line, State
from iotprov.conf import IoTTarget, iot_settings, setting_name
from iotprov.documents import versions
from iotprov.documents.aws_documents import DefaultVersion, read_policy, read_provisioning_template
from iotprov.documents.ownership import refuse_document_of_another
from iotprov.documents.validation import check_document
from iotprov.exceptions import DocumentError
from iotprov.json_text.located import NotJSON, read_json
from iotprov.models import DocumentVersion
from pki.operators.errors import OperatorError, RemoteFailure
from pki.record.audit_trail import Actor

Kind = DocumentVersion.Kind

_COMMAND = {Kind.POLICY: "sync_policy", Kind.TEMPLATE: "sync_template"}


def adopt_document(kind: Kind, target: IoTTarget, *, actor: Actor, is_dry_run: bool) -> list[Line]:
    """Compare the target's document with the one on record, or record it as the first version.

    A template has a second line, about its role.
    """
    what, name = f"{Kind(kind).label} at {target.name}", versions.name_of(kind)
    try:
        found = (read_policy if kind == Kind.POLICY else read_provisioning_template)(target, name)
        if found is None:
            text = f"AWS IoT has none of that name. Run {_COMMAND[kind]}, which makes it."
            return [Line(what, name, State.MISSING, text)]
        refuse_document_of_another(kind, target, found)
        state, text = _adopt(kind, found, target, actor=actor, is_dry_run=is_dry_run)
    except RemoteFailure as failure:
        return [Line(what, name, State.FAILED, str(failure))]
    except OperatorError as error:
        text = f"{error} Correct it in the database or the file, then run {_COMMAND[kind]}."
        return [Line(what, name, State.DIFFERS, text)]
    lines = [Line(what, name, state, text)]
    if found.role_arn:
        lines.append(_role_line(found.role_arn, target))
    return lines


def _adopt(
    kind: Kind, found: DefaultVersion, target: IoTTarget, *, actor: Actor, is_dry_run: bool
) -> tuple[State, str]:
    try:
        data = read_json(found.body).data
    except NotJSON as error:
        raise DocumentError(f"The text in AWS IoT cannot be read. {error}") from error
    place = {
        "account": client.account_of(target),
        "region": client.region_of(target),
        "partition": client.partition_of(target),
    }
    known = versions.current(kind)
    if known is not None:
        if versions.filled(kind, known.body, **place) == data:
            return State.FOUND, f"Version {found.version} in AWS is {known}."
        return State.DIFFERS, (
            f"Version {found.version} in AWS is not {known}. Run {_COMMAND[kind]} --dry-run to see "
            f"the difference, and {_COMMAND[kind]} to put {known} there."
        )
    body = _body_to_record(kind, data, place)
    check_document(kind, body)
    if is_dry_run:
        text = f"Version {found.version} in AWS would be recorded as the first version."
        return State.FOUND, text
    version = versions.add_version(
        kind, body, actor=actor, reason=f"import_aws: as {target.name} holds it"
    )
    return State.ADOPTED, f"Version {found.version} in AWS is {version} here."


def _body_to_record(kind: Kind, data: Any, place: dict[str, str]) -> str:
    """Return a text that gives ``data`` once it is filled for the place that it comes from.

    That is the configured file's text if it does so. Otherwise it is ``data`` with placeholders
    for region and account, so that it fits other targets too, or as a last resort ``data``.
    """
    try:
        in_file = versions.body_of_file(kind)
        if versions.filled(kind, in_file, **place) == data:
            return in_file
    except DocumentError:
        pass  # the file is missing or invalid, so it is not the text in AWS
    general = json.dumps(_with_placeholders(data, place), indent=2, ensure_ascii=False)
    if versions.filled(kind, general, **place) == data:
        return general
    return json.dumps(data, indent=2, ensure_ascii=False)


def _with_placeholders(data: Any, place: dict[str, str]) -> Any:
    if isinstance(data, dict):
        return {key: _with_placeholders(value, place) for key, value in data.items()}
    if isinstance(data, list):
        return [_with_placeholders(value, place) for value in data]
    if isinstance(data, str):
        here = f"arn:{place['partition']}:iot:{place['region']}:{place['account']}:"
        return data.replace(here, "arn:aws:iot:<REGION>:<ACCOUNT_ID>:")
    return data


def _role_line(arn: str, target: IoTTarget) -> Line:
    what, name = f"JITP role at {target.name}", arn.rpartition("/")[2]
    configured = iot_settings().provisioning_role_name
    if name == configured:
        return Line(what, name, State.FOUND, arn)
    return Line(
        what,
        name,
        State.DIFFERS,
        f"The configuration says {configured}. To continue with this role, set "
        f"{setting_name('provisioning_role_name')} to {name}. Otherwise sync_template gives the "
        "template the configured one.",
    )
