"""What an installation chooses for AWS IoT: ``settings.IOT``, which the Django settings build."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from pki.aws.clients import AWSLocation
from pki.operators.errors import OperatorError


@dataclass(frozen=True, slots=True)
class IoTTarget:
    """One AWS IoT registry: an account and a region that devices connect to."""

    name: str
    region: str = ""
    """"" is the region of everything else (``PKISettings.aws_region``)."""
    role_arn: str = ""
    """The role to assume there; "" for the account that this server runs in."""

    @property
    def place(self) -> AWSLocation:
        """The account and region that calls for this target go to."""
        return AWSLocation(self.region, self.role_arn)


DEFAULT_TARGETS = (IoTTarget("default"),)


@dataclass(frozen=True, slots=True)
class IoTSettings:
    """Every choice of the installation that this app knows."""

    template_path: Path
    policy_path: Path
    configure_jitp: bool
    template_name: str = "est_iot_provisioning_template"
    policy_name: str = "est_iot_policy_default"
    provisioning_role_name: str = "ESTServerDeviceProvisioningRole"
    ca_certificate_mode: str = "SNI_ONLY"
    """``SNI_ONLY``, or ``DEFAULT``, which takes a proof of possession of the CA's key."""
    targets: tuple[IoTTarget, ...] = DEFAULT_TARGETS
    request_seconds: int = 4
    """Seconds that an enrollment may wait for AWS IoT before the outbox takes over."""
    tags: tuple[tuple[str, str], ...] = ()
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What operators call a setting, by its name here; see `setting_name`."""


def iot_settings() -> IoTSettings:
    """Return the installation's choices (``settings.IOT``)."""
    return settings.IOT


def setting_name(setting: str) -> str:
    """Return what operators call a setting, for a message: by default its name in `IoTSettings`."""
    return iot_settings().names.get(setting, setting)


def find_target(name: str) -> IoTTarget | None:
    """Return the target of that name; ``None`` when the configuration has none (any more)."""
    return next((target for target in iot_settings().targets if target.name == name), None)


def targets_named(name: str | None) -> tuple[IoTTarget, ...]:
    """Return the target of that name, or every target without a name (``None`` or "").

    Raises ``OperatorError``, which names the targets that there are.
    """
    if not name:
        return iot_settings().targets
    target = find_target(name)
    if target is None:
        known = ", ".join(each.name for each in iot_settings().targets)
        raise OperatorError(
            f"There is no target {name!r} in {setting_name('targets')}. Choose one of {known}."
        )
    return (target,)
