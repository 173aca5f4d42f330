"""The Django app of the server itself: hooks that are still to run, commands, pages."""

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from pki.record.observers import TrustFollower


class ESTServerConfig(AppConfig):
    """HTTP, and the composition of the other two apps."""

    name = "estserver"
    verbose_name = "EST server"

    def ready(self) -> None:
        from estserver import (  # noqa: F401  # they register Django's system checks
            checks,
            connection_checks,
        )
        from pki.record import observers

        observers.register_follower(_gateway_follower)


def _gateway_follower() -> "TrustFollower":
    from estserver.deploy.truststore.follower import GatewayFollower

    return GatewayFollower()
