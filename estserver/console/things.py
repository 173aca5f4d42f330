"""A thing in AWS IoT as pages show it."""

from django.utils.safestring import SafeString

from iotprov.template.planned_thing import PlannedThing
from pki.admin.display import table, visible


def thing_table(thing: PlannedThing) -> SafeString:
    """Return what the template makes: name, attributes, type, groups and policies."""
    pairs = [
        ("Thing", thing.thing_name),
        *((f"Attribute {visible(name)}", value) for name, value in thing.attributes.items()),
        ("Thing type", thing.thing_type),
        ("Groups", ", ".join(thing.groups)),
        ("Policies", ", ".join(thing.policy_names)),
    ]
    return table((), ((name, visible(value)) for name, value in pairs if value))
