"""Comparison of a target with the record, part by part."""

from collections.abc import Callable, Iterator

from iotprov.conf import IoTTarget
from iotprov.drift.authorities import ca_differences, foreign_ca_differences
from iotprov.drift.certificates import certificate_differences
from iotprov.drift.differences import Difference
from iotprov.drift.documents import policy_differences, template_differences
from pki.operators.errors import OperatorError, remote_failure


class NotCompared(OperatorError):
    """Parts of a target could not be compared completely. ``parts`` names them."""

    def __init__(self, target_name: str, missed: dict[str, OperatorError]) -> None:
        self.parts = tuple(missed)
        reasons = " ".join(
            f"{part[:1].upper()}{part[1:]}: {error}" for part, error in missed.items()
        )
        super().__init__(f"{target_name}: Not everything could be compared. {reasons}")


Part = Callable[[IoTTarget, bool], Iterator[Difference]]
"""What compares one part of a target, with more depth if the second argument is true."""

PARTS: dict[str, Part] = {
    "IoT policy": lambda target, deep: policy_differences(target),
    "provisioning template and its role": lambda target, deep: template_differences(target),
    "CAs on record": lambda target, deep: ca_differences(target),
    "CAs that only AWS has": lambda target, deep: foreign_ca_differences(target),
    "certificates": lambda target, deep: certificate_differences(target, deep=deep),
}
"""The parts of a target in the order of a repair."""


def drift(target: IoTTarget, *, deep: bool = False) -> Iterator[Difference]:
    """Yield every difference between ``target`` and the record. Changes nothing.

    The order is that of a repair: policy, template and role, CAs, certificates. Alarming
    certificates come first. With ``deep`` the thing and policies of each certificate are compared
    too, which takes two calls a certificate.

    The failure of one part stops no other. ``NotCompared`` is raised after the last part, with the
    first ``RemoteFailure``, if any, as its cause. An iteration that ends without it is complete.
    """
    missed: dict[str, OperatorError] = {}
    for part, differences in PARTS.items():
        try:
            yield from differences(target, deep)
        except OperatorError as error:
            missed[part] = error
    if missed:
        remote = filter(None, map(remote_failure, missed.values()))
        raise NotCompared(target.name, missed) from next(remote, None)
