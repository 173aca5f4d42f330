"""Warnings about a policy that goes to another account or region than it names (threat T47)."""

from iotprov import client
from iotprov.conf import IoTTarget
from iotprov.models import DocumentVersion
from iotprov.policy.foreign_places import foreign_places


def place_warnings(kind: str, target: IoTTarget, body: str) -> tuple[str, ...]:
    """Return a sentence for each account or region in a policy that is not the target's.

    ``body`` has its placeholders. A template names no place, so it has no warnings. Raises
    ``RemoteFailure`` if AWS does not give the target's account or region.
    """
    if kind != DocumentVersion.Kind.POLICY:
        return ()
    found = foreign_places(
        body,
        account=client.account_of(target),
        region=client.region_of(target),
        target=target.name,
    )
    return tuple(f"Warning: {problem}" for problem in found)
