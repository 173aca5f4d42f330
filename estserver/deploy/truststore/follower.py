"""Let API Gateway follow the end of trust in a CA: push the CAs on record, activate, and wait."""

from collections.abc import Callable

from django.conf import settings

from estserver.deploy.deployment import current_deployment
from estserver.deploy.engine.performer import Performer
from estserver.deploy.truststore.pushes import activate, push, wanted_bundle
from pki.record.audit_trail import Actor

REMAINS = (
    "API Gateway goes on completing handshakes with its clients, which the application then "
    "refuses, until the truststore is activated: manage.py aws_truststore --push --yes --reason ..."
)


class GatewayFollower:
    """The truststore of the domain with mutual TLS, and the handshakes of a local server."""

    def follow(
        self, *, reason: str, actor: Actor, is_here: bool, say: Callable[[str], None]
    ) -> None:
        """Push and activate the truststore, if the database at hand is the deployment's.

        A laptop that deploys has CAs of its own, which must not get into the gateway. So without
        the operator's word (``is_here``) this happens on Lambda alone. Raises ``OperatorError``
        and ``RemoteFailure``.
        """
        say("A local server's handshakes follow within 5 seconds, in every process.")
        if not settings.CONFIG.properties.api_custom_domain_name:
            return
        if not (is_here or settings.IS_LAMBDA):
            say(f"{REMAINS} Add --here if this database is that of the deployment.")
            return
        deployment, performer = current_deployment(), Performer(say)
        # The clients of a CA that is not trusted are to be turned away, so removals are not asked
        # about as aws_truststore does.
        pushed = push(deployment, wanted_bundle(), actor=actor, reason=reason, performer=performer)
        activate(deployment, pushed.version_id, actor=actor, reason=reason, performer=performer)
        say(f"active: version {pushed.version_id} of the truststore")

    def what_remains(self) -> str:
        """Return what a page, which cannot wait for API Gateway, leaves to do."""
        return REMAINS if settings.CONFIG.properties.api_custom_domain_name else ""
