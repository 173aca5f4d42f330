"""Things of AWS IoT: made as the template says, or changed as its OverrideSettings say."""

from collections.abc import Callable
from typing import Any

from iotprov.client import is_code
from iotprov.exceptions import TemplateError
from iotprov.provisioning.iot_certificates import EXISTS, NOT_FOUND, Registry, missing
from iotprov.template.contents import Override
from iotprov.template.planned_thing import PlannedThing
from pki.operators.errors import RemoteFailure


def find_thing(registry: Registry, name: str) -> dict[str, Any] | None:
    """Return AWS IoT's description of a thing, or ``None``. Raises ``RemoteFailure``."""
    try:
        return registry.call("describe_thing", thingName=name)
    except RemoteFailure as error:
        if is_code(error, NOT_FOUND):
            return None
        raise


def make_thing(
    registry: Registry,
    plan: PlannedThing,
    existing: dict[str, Any] | None,
    *,
    is_ours: bool,
    before_making: Callable[[str], None],
) -> None:
    """Make the planned thing, or change the existing one as the template says.

    ``existing`` is what ``find_thing`` returned. ``is_ours`` says that this server made it, perhaps
    incompletely. ``before_making`` is called before a thing is made, and what it records must
    outlive a crash. Raises ``RemoteFailure``, and ``TemplateError`` where the template says FAIL.
    """
    if existing is None:
        before_making(plan.thing_name)
        _create(registry, plan)
        _add_to_groups(registry, plan)
    elif is_ours:
        _add_to_groups(registry, plan)
    else:
        _override(registry, plan, existing)


def _create(registry: Registry, plan: PlannedThing) -> None:
    chosen: dict[str, Any] = {}
    if plan.attributes:
        chosen["attributePayload"] = {"attributes": dict(plan.attributes)}
    if plan.thing_type:
        chosen["thingTypeName"] = plan.thing_type
    if plan.billing_group:
        chosen["billingGroupName"] = plan.billing_group
    try:
        registry.call("create_thing", thingName=plan.thing_name, **chosen)
    except RemoteFailure as error:
        if is_code(error, NOT_FOUND):
            what = "The template's thing type or billing group"
            raise missing(error, what, "Make it, or take it out of the template.") from error
        if not is_code(error, EXISTS):
            raise
        # Another party made it a moment ago. The row is worked on again, and finds it then.
        raise RemoteFailure(
            error.call, error.code, str(error), "Try again.", is_transient=True
        ) from error


def _override(registry: Registry, plan: PlannedThing, existing: dict[str, Any]) -> None:
    """Change an existing thing as the template's OverrideSettings say."""
    overrides = plan.overrides
    found, planned = existing.get("attributes", {}), dict(plan.attributes)
    changes: dict[str, Any] = {}
    if _is_applied(overrides.attributes, found, planned, plan, "attributes"):
        is_merged = overrides.attributes is Override.MERGE
        if {**(found if is_merged else {}), **planned} != found:
            changes["attributePayload"] = {"attributes": planned, "merge": is_merged}
    type_found = existing.get("thingTypeName", "")
    if plan.thing_type and _is_applied(
        overrides.thing_type, type_found, plan.thing_type, plan, "thing type"
    ):
        changes["thingTypeName"] = plan.thing_type
    if changes:
        registry.call("update_thing", thingName=plan.thing_name, **changes)
    if overrides.groups is Override.DO_NOTHING:
        return
    groups = _groups_of(registry, plan.thing_name)
    if _is_applied(overrides.groups, groups, set(plan.groups), plan, "thing groups"):
        _add_to_groups(registry, plan)
        if overrides.groups is Override.REPLACE:
            for group in sorted(groups - set(plan.groups)):
                registry.call(
                    "remove_thing_from_thing_group",
                    thingGroupName=group,
                    thingName=plan.thing_name,
                )


def _groups_of(registry: Registry, thing_name: str) -> set[str]:
    groups = registry.list_all("list_thing_groups_for_thing", "thingGroups", thingName=thing_name)
    return {group["groupName"] for group in groups}


def _add_to_groups(registry: Registry, plan: PlannedThing) -> None:
    for group in plan.groups:
        try:
            registry.call(
                "add_thing_to_thing_group", thingGroupName=group, thingName=plan.thing_name
            )
        except RemoteFailure as error:
            if is_code(error, NOT_FOUND):
                advice = "Make it, or take it out of the template."
                raise missing(error, f"The thing group {group}", advice) from error
            raise


def _is_applied(
    override: Override, found: object, planned: object, plan: PlannedThing, what: str
) -> bool:
    """Return whether a property of an existing thing is to become what the template says."""
    if override is Override.FAIL and found != planned:
        raise TemplateError(
            f"The thing {plan.thing_name} exists with other {what} than the template's, and the "
            "template says FAIL for that. Change the thing, or the template's OverrideSettings."
        )
    return override in (Override.REPLACE, Override.MERGE)
