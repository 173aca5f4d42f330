"""The Django app of AWS IoT provisioning."""

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from pki.record.observers import CertificateObserver


class IoTProvConfig(AppConfig):
    """The app ``iotprov``: it registers system checks and the writer of the outbox."""

    name = "iotprov"
    verbose_name = "AWS IoT"

    def ready(self) -> None:
        from iotprov import checks  # noqa: F401  # registers Django's system checks
        from pki.jobs import registry
        from pki.record import observers

        registry.register("drift", "iotprov.jobs.comparing.DRIFT", title="Compare with AWS IoT")
        registry.register(
            "reprovision",
            "iotprov.jobs.reprovisioning.REPROVISION",
            title="Provision in AWS IoT once more",
        )
        observers.register(_outbox_writer)


def _outbox_writer() -> "CertificateObserver":
    from iotprov.provisioning.observer import OutboxWriter

    return OutboxWriter()
