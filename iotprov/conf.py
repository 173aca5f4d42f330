"""What an installation chooses for AWS IoT, handed over by the Django settings."""

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings


@dataclass(frozen=True, slots=True)
class IoTSettings:
    """Everything this app is told from outside."""

    template_path: Path
    is_jitp_configured: bool


def iot_settings() -> IoTSettings:
    """The installation's choices (``settings.IOT``)."""
    return settings.IOT
