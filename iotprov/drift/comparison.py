"""Comparing a target with the record, part by part."""

from collections.abc import Callable, Iterator

from iotprov.conf import IoTTarget
from iotprov.drift.authorities import ca_differences, foreign_ca_differences
from iotprov.drift.certificates import certificate_differences
from iotprov.drift.differences import Difference
from iotprov.drift.documents import policy_differences, template_differences
from pki.operators.errors import OperatorError, remote_failure


class NotCompared(OperatorError):
    """Parts of a target couldn't be looked at, so nothing is said of them."""

    def __init__(self, target_name: str, missed: dict[str, OperatorError]) -> None:
        self.parts = tuple(missed)
        said = "; ".join(f"{part} ({error})" for part, error in missed.items())
        super().__init__(f"{target_name}: not compared, or not to the end: {said}")


def drift(target: IoTTarget, *, deep: bool = False) -> Iterator[Difference]:
    """Every difference between ``target`` and the record, as it is found; changes nothing.

    In the order in which they are mended: policy, template and role, CAs, certificates, of which
    the alarming come first. ``deep`` looks at each certificate's thing and policies too, which
    costs two calls each.

    Whoever reaches the end without ``NotCompared`` has seen everything: what fails at one part
    keeps no other from being compared, and is raised after the last. Its cause is the first
    ``RemoteFailure``, where there was one.
    """
    parts: dict[str, Callable[[], Iterator[Difference]]] = {
        "the IoT policy": lambda: policy_differences(target),
        "the provisioning template and its role": lambda: template_differences(target),
        "our CAs": lambda: ca_differences(target),
        "CAs that only AWS has": lambda: foreign_ca_differences(target),
        "certificates": lambda: certificate_differences(target, deep=deep),
    }
    missed: dict[str, OperatorError] = {}
    for part, differences in parts.items():
        try:
            yield from differences()
        except OperatorError as error:
            missed[part] = error
    if missed:
        remote = filter(None, map(remote_failure, missed.values()))
        raise NotCompared(target.name, missed) from next(remote, None)
