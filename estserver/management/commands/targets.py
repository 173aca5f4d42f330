"""What each target of AWS IoT has, by the record."""

from typing import Any

from iotprov.conf import iot_settings
from iotprov.documents.state import target_states
from iotprov.documents.versions import Kind, body_in_force
from iotprov.exceptions import DocumentError
from iotprov.models import CARegistration, Provisioning
from pki.management.listing import ListCommand
from pki.operators.command import OperatorCommand
from pki.operators.subcommands import CommandGroup


class ListTargets(OperatorCommand):
    """See ``help``."""

    help = (
        "List the targets of the configuration, with the state of template, policy, CAs and "
        "outbox. AWS is not asked: `outbox drift` does that."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a row for each target."""
        documents = {kind: _agreements(kind) for kind in (Kind.TEMPLATE, Kind.POLICY)}
        self.print_rows(
            ("target", "template", "policy", "cas", "waiting", "parked"),
            (
                {
                    "target": name,
                    "template": documents[Kind.TEMPLATE].get(name, "unknown"),
                    "policy": documents[Kind.POLICY].get(name, "unknown"),
                    "cas": [
                        row.ca.name
                        for row in CARegistration.objects.filter(
                            target=name, state=CARegistration.State.REGISTERED
                        ).select_related("ca")
                    ],
                    "waiting": Provisioning.objects.filter(target=name).pending().count(),
                    "parked": Provisioning.objects.filter(target=name).parked().count(),
                }
                for name in [target.name for target in iot_settings().targets]
            ),
            empty="The configuration has no target.",
        )


class ListRegistrations(ListCommand):
    """See ``help``."""

    help = "List the registrations of device CAs in AWS IoT."
    model = CARegistration
    columns = ("state", "ca", "target", "status", "error")
    has_search = False
    empty = "No CA is registered yet. Run manage.py cas register."

    def facts(self, row: CARegistration) -> dict[str, Any]:
        """Return a registration as JSON values."""
        return {
            "id": str(row.pk),
            "state": row.state,
            "ca": row.ca.name,
            "target": row.target,
            "status": row.status,
            "certificate_id": row.certificate_id,
            "template": row.template_name,
            "is_auto_registration_on": row.is_auto_registration_on,
            "note": row.note,
            "error": row.error,
        }


def _agreements(kind: Kind) -> dict[str, str]:
    try:
        states = target_states(kind, body_in_force(kind))
    except DocumentError:
        return {}
    return {state.target: state.agreement.value.lower() for state in states}


class Command(CommandGroup):
    """See ``help``."""

    help = "Show what each target of AWS IoT has, by the record or by asking AWS."
    subcommands = {
        "list": ListTargets,
        "registrations": ListRegistrations,
        "drift": "iotprov.management.commands.drift.Command",
        "register": "iotprov.management.commands.register_ca.Command",
    }
