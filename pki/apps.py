"""The Django app of the CA."""

from django.apps import AppConfig


class PKIConfig(AppConfig):
    """Certificates, CAs, profiles, denylist and audit trail."""

    name = "pki"
    verbose_name = "Certificates"

    def ready(self) -> None:
        from pki import checks  # noqa: F401  # registers Django's system checks
