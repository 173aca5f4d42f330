"""Whose record of truststore pushes counts: the database's that the functions use.

A laptop that deploys has a database too, with CAs and pushes of its own or none. What it says of
the truststore is about another installation.
"""

from collections.abc import Iterable

from django.conf import settings
from django.core import serializers

from estserver.deploy.deployment import Deployment
from estserver.deploy.front_door.truststore_object import object_uri
from estserver.deploy.zappa.admin_function import run_in_function
from estserver.deploy.zappa.stage import look_at_stage
from estserver.models import TruststorePush
from pki.operators.errors import OperatorError

COMMAND = ("aws_truststore", "--here")
"""What is run in the admin's function, for which "here" is there."""
FIRST_PUSH = (*COMMAND, "--push", "--no-activate", "--reason", "first deployment")
FIRST_ACTIVATION = (*COMMAND, "--record-first-activation")


def record_keeper(deployment: Deployment, *, is_here: bool) -> str:
    """The admin's function, which has the record; "" when the database at hand has it: on Lambda,
    or because the operator says so (``--here``).

    Raises ``OperatorError`` when that function isn't deployed, and ``RemoteFailure``.
    """
    if is_here or settings.IS_LAMBDA:
        return ""
    if not look_at_stage(deployment, "admin").is_deployed:
        raise OperatorError(
            "the record of the truststore is in the database of the admin's function, which isn't "
            "deployed: run zappa deploy admin, or add --here if the database that this machine is "
            "configured for has the CAs and the record"
        )
    return deployment.function("admin")


def pushes_here(deployment: Deployment) -> list[TruststorePush]:
    """The record in the database at hand, the newest first."""
    return list(TruststorePush.objects.filter(uri=object_uri(deployment)))


def pushes_on_record(deployment: Deployment, *, is_here: bool) -> list[TruststorePush]:
    """The record that counts, the newest first; rows of another database aren't to be saved.

    Raises ``OperatorError`` and ``RemoteFailure``.
    """
    keeper = record_keeper(deployment, is_here=is_here)
    if not keeper:
        return pushes_here(deployment)
    return from_json(run_in_function(keeper, *COMMAND, "--pushes"))


def as_json(pushes: Iterable[TruststorePush]) -> str:
    """Rows as `aws_truststore --pushes` prints them."""
    return str(serializers.serialize("json", pushes))


def from_json(text: str) -> list[TruststorePush]:
    """The rows again. Raises ``OperatorError``."""
    try:
        rows = [each.object for each in serializers.deserialize("json", text)]
    except serializers.base.DeserializationError as error:
        raise OperatorError(
            "the admin's function tells its record in another way than this version does; run "
            "zappa update admin"
        ) from error
    return [row for row in rows if isinstance(row, TruststorePush)]


def last_activated(pushes: Iterable[TruststorePush]) -> TruststorePush | None:
    """What the domain should trust, by the record."""
    activated = [(each.activated_at, each) for each in pushes if each.activated_at]
    return max(activated, key=lambda pair: pair[0])[1] if activated else None
