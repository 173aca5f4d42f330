"""What an installation chooses for AWS IoT, handed over by the Django settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from pki.aws.clients import AWSLocation


@dataclass(frozen=True, slots=True)
class IoTTarget:
    """One AWS IoT registry: an account and a region that devices connect to."""

    name: str
    region: str = ""
    """"" is the region of everything else (``PKISettings.aws_region``)."""
    role_arn: str = ""
    """The role to assume there; "" for the account that we run in."""

    @property
    def place(self) -> AWSLocation:
        """Where its calls go."""
        return AWSLocation(self.region, self.role_arn)


DEFAULT_TARGETS = (IoTTarget("default"),)


@dataclass(frozen=True, slots=True)
class IoTSettings:
    """Everything this app is told from outside."""

    template_path: Path
    policy_path: Path
    is_jitp_configured: bool
    template_name: str = "est_iot_provisioning_template"
    policy_name: str = "est_iot_policy_default"
    provisioning_role_name: str = "ESTServerDeviceProvisioningRole"
    ca_certificate_mode: str = "SNI_ONLY"
    """``SNI_ONLY``, or ``DEFAULT``, which takes a proof that the CA's key is ours."""
    targets: tuple[IoTTarget, ...] = DEFAULT_TARGETS
    request_seconds: int = 4
    """How long an enrollment may wait for AWS IoT before the outbox takes over."""
    tags: tuple[tuple[str, str], ...] = ()
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What operators call a setting, by its name here; see `setting_name`."""


def iot_settings() -> IoTSettings:
    """The installation's choices (``settings.IOT``)."""
    return settings.IOT


def setting_name(setting: str) -> str:
    """Return what operators call a setting, for a message: by default its name in `IoTSettings`."""
    return iot_settings().names.get(setting, setting)


def find_target(name: str) -> IoTTarget | None:
    """The target of that name; ``None`` when the configuration has it no more."""
    return next((target for target in iot_settings().targets if target.name == name), None)
