"""The record of truststore pushes, in the database that the functions use.

A laptop that deploys has a database too, with its own CAs and pushes or with none. That record is
about another installation, so it is never asked by mistake.
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
"""The command as it runs in the admin's function, where "here" is the functions' database."""
FIRST_PUSH = (*COMMAND, "--push", "--no-activate", "--reason", "first deployment")
FIRST_ACTIVATION = (*COMMAND, "--record-first-activation")


def record_keeper(deployment: Deployment, *, is_here: bool) -> str:
    """Return the admin's function, which has the record; "" when the database at hand has it.

    That is so on Lambda, or when the operator says it (``--here``). Raises ``OperatorError`` when
    the function is not deployed, and ``RemoteFailure``.
    """
    if is_here or settings.IS_LAMBDA:
        return ""
    if not look_at_stage(deployment, "admin").is_deployed:
        raise OperatorError(
            "The record of the truststore is in the database of the admin's function, which is not "
            "deployed. Run zappa deploy admin, or add --here if the database that this machine is "
            "configured for has the CAs and the record."
        )
    return deployment.live_function("admin")


def pushes_here(deployment: Deployment) -> list[TruststorePush]:
    """Return the record in the database at hand, the newest push first."""
    return list(TruststorePush.objects.filter(uri=object_uri(deployment)))


def pushes_on_record(deployment: Deployment, *, is_here: bool) -> list[TruststorePush]:
    """Return the installation's record, the newest push first.

    The rows may be those of another database, and must not be saved. Raises ``OperatorError`` and
    ``RemoteFailure``.
    """
    keeper = record_keeper(deployment, is_here=is_here)
    if not keeper:
        return pushes_here(deployment)
    return from_json(run_in_function(keeper, *COMMAND, "--pushes"))


def as_json(pushes: Iterable[TruststorePush]) -> str:
    """Return rows as `aws_truststore --pushes` prints them."""
    return str(serializers.serialize("json", pushes))


def from_json(text: str) -> list[TruststorePush]:
    """Return the rows that `aws_truststore --pushes` printed. Raises ``OperatorError``."""
    try:
        rows = [each.object for each in serializers.deserialize("json", text)]
    except serializers.base.DeserializationError as error:
        raise OperatorError(
            "The admin's function prints its record in the format of another version. Run zappa "
            "update admin."
        ) from error
    return [row for row in rows if isinstance(row, TruststorePush)]


def last_activated(pushes: Iterable[TruststorePush]) -> TruststorePush | None:
    """Return the push that was activated last; by the record, the domain trusts it."""
    activated = [(each.activated_at, each) for each in pushes if each.activated_at]
    return max(activated, key=lambda pair: pair[0])[1] if activated else None
