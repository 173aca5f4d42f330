"""Things: made as the template says, or treated as it says when they exist already."""

from collections.abc import Callable
from typing import Any

from iotprov.client import is_code
from iotprov.exceptions import TemplateError
from iotprov.provisioning.iot_certificates import EXISTS, NOT_FOUND, Registry, missing
from iotprov.template.contents import Override
from iotprov.template.planned_thing import PlannedThing
from pki.operators.errors import RemoteFailure


def find_thing(registry: Registry, name: str) -> dict[str, Any] | None:
    """What AWS IoT says of a thing; ``None`` when there is none. Raises ``RemoteFailure``."""
    try:
        return registry.call("describe_thing", thingName=name)
    except RemoteFailure as error:
        if is_code(error, NOT_FOUND):
            return None
        raise


def make_thing(
    registry: Registry,
    plan: PlannedThing,
    *,
    is_ours: bool,
    before_making: Callable[[str], None],
) -> None:
    """Make the planned thing, or treat the one that is there as the template says.

    ``is_ours`` says that we made it, perhaps not to the end; ``before_making`` is called
    before one is made, and what it remembers must outlive a crash. Raises ``RemoteFailure``, and
    ``TemplateError`` where the template says FAIL.
    """
    there = find_thing(registry, plan.thing_name)
    if there is None:
        before_making(plan.thing_name)
        _create(registry, plan)
        _add_to_groups(registry, plan)
    elif is_ours:
        _add_to_groups(registry, plan)
    else:
        _override(registry, plan, there)


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
            what = "the template's thing type or billing group"
            raise missing(error, what, "Make it, or take it out of the template.") from error
        if not is_code(error, EXISTS):
            raise
        # Somebody made it a moment ago; the row is worked on again, and finds it there.
        raise RemoteFailure(
            error.call, error.code, str(error), "Try again.", is_transient=True
        ) from error


def _override(registry: Registry, plan: PlannedThing, there: dict[str, Any]) -> None:
    """What the template's OverrideSettings say of a thing that was there before."""
    overrides = plan.overrides
    held, wished = there.get("attributes", {}), dict(plan.attributes)
    changes: dict[str, Any] = {}
    if _is_applied(overrides.attributes, held, wished, plan, "attributes"):
        is_merged = overrides.attributes is Override.MERGE
        if {**(held if is_merged else {}), **wished} != held:
            changes["attributePayload"] = {"attributes": wished, "merge": is_merged}
    type_held = there.get("thingTypeName", "")
    if plan.thing_type and _is_applied(
        overrides.thing_type, type_held, plan.thing_type, plan, "thing type"
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
                raise missing(error, f"the thing group {group}", advice) from error
            raise


def _is_applied(
    override: Override, held: object, wished: object, plan: PlannedThing, what: str
) -> bool:
    """Whether a property of a thing that exists is to become what the template says."""
    if override is Override.FAIL and held != wished:
        raise TemplateError(
            f"the thing {plan.thing_name} exists with other {what} than the template's, which "
            "says FAIL for that: change the thing, or the template's OverrideSettings"
        )
    return override in (Override.REPLACE, Override.MERGE)
