"""The Django app of the server itself: hooks that are still to run, commands, pages."""

from django.apps import AppConfig


class ESTServerConfig(AppConfig):
    """HTTP, and the composition of the other two apps."""

    name = "estserver"
    verbose_name = "EST server"

    def ready(self) -> None:
        from estserver import checks  # noqa: F401  # registers Django's system checks
