"""The Django app of AWS IoT provisioning."""

from django.apps import AppConfig


class IoTProvConfig(AppConfig):
    """What AWS IoT makes of a certificate."""

    name = "iotprov"
    verbose_name = "AWS IoT"

    def ready(self) -> None:
        from iotprov import checks  # noqa: F401  # registers Django's system checks
        from iotprov.observer import OutboxWriter
        from pki import observers

        observers.register(OutboxWriter())
