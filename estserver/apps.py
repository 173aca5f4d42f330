"""The Django app of the server itself: hooks that are still to run, commands, pages."""

from importlib import import_module
from typing import TYPE_CHECKING

from django.apps import AppConfig, apps

if TYPE_CHECKING:
    import datetime

    from pki.record.observers import TrustFollower


class ESTServerConfig(AppConfig):
    """HTTP, and the composition of the other two apps."""

    name = "estserver"
    verbose_name = "EST server"

    def import_models(self) -> None:
        """Load the tables; those of people and their programs only where accounts are."""
        super().import_models()
        if apps.is_installed("django.contrib.auth"):
            for module in import_module(f"{self.name}.models").PEOPLE_SIDE:
                import_module(module)

    def ready(self) -> None:
        from django.conf import settings

        from estserver import (  # noqa: F401  # they register Django's system checks
            checks,
            connection_checks,
        )
        from pki.jobs import registry
        from pki.record import due_work, observers

        observers.register_follower(_gateway_follower)
        registry.register(
            "truststore",
            "estserver.deploy.truststore.pushing_job.TRUSTSTORE",
            title="Push the truststore",
        )
        if settings.IS_LAMBDA:
            due_work.register(_wake_schedule)


def _wake_schedule(due_at: "datetime.datetime") -> None:
    from estserver.operations.minutely_rule import wake

    wake(due_at)


def _gateway_follower() -> "TrustFollower":
    from estserver.deploy.truststore.follower import GatewayFollower

    return GatewayFollower()
