"""A CA's registration in AWS IoT: as AWS describes it, as it should be, and what differs."""

from dataclasses import dataclass

from cryptography import x509


@dataclass(frozen=True, slots=True)
class RegisteredCA:
    """A CA by AWS IoT's description."""

    certificate_id: str
    arn: str
    status: str
    """``ACTIVE`` or ``INACTIVE``."""
    mode: str
    """``DEFAULT`` or ``SNI_ONLY``, or "" if AWS named none."""
    is_auto_registration_on: bool
    template_name: str
    certificate: x509.Certificate | None
    """``None`` if it cannot be read."""


@dataclass(frozen=True, slots=True)
class DesiredRegistration:
    """How a CA should be registered in AWS IoT."""

    status: str
    mode: str
    template_name: str
    """The installation's provisioning template, whether or not it is in use."""
    is_jitp_on: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A property of a registration that is not as desired."""

    what: str
    found: str
    desired: str

    def __str__(self) -> str:
        return f"{self.what} {self.found} -> {self.desired}"


def differences(registered: RegisteredCA, desired: DesiredRegistration) -> tuple[Difference, ...]:
    """Return what an update has to change.

    If JITP is off in the configuration, auto registration may serve another purpose, such as JITR.
    It is left alone, unless it uses the installation's template or the CA is revoked.
    """
    found = []
    if registered.status != desired.status:
        found.append(Difference("status", registered.status, desired.status))
    is_own_template = registered.template_name == desired.template_name
    if desired.is_jitp_on:
        if not registered.is_auto_registration_on:
            found.append(Difference("auto registration", "off", "on"))
        if not is_own_template:
            found.append(
                Difference("template", registered.template_name or "none", desired.template_name)
            )
    elif registered.is_auto_registration_on and (is_own_template or desired.status != "ACTIVE"):
        found.append(Difference("auto registration", "on", "off"))
    return tuple(found)
