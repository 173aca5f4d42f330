"""The attributes that a template takes of the subject, and that a profile's certificates may lack.

AWS IoT refuses a device whose certificate lacks a declared parameter, and so does this server where
it makes the thing. Such a device enrolls and never becomes a thing.
"""

from dataclasses import dataclass

from iotprov.template.contents import Template
from iotprov.template.jitp import ATTRIBUTE_BY_PARAMETER, unfilled_parameters
from pki.models import CertificateProfile


@dataclass(frozen=True, slots=True)
class LackingAttributes:
    """The names of subject attributes, such as countryName. False when there is none."""

    never: frozenset[str] = frozenset()
    """Those that no certificate of the profile can have."""
    perhaps: frozenset[str] = frozenset()
    """Those that a certificate may have, and that the profile does not require."""

    def __bool__(self) -> bool:
        return bool(self.never or self.perhaps)

    def beyond(self, other: "LackingAttributes") -> "LackingAttributes":
        """Return what is lacking here and was not, or not to that degree, in ``other``."""
        known = other.never | other.perhaps
        return LackingAttributes(self.never - other.never, self.perhaps - known)

    def sentence(self, profile: str) -> str:
        """Return what the profile of that name lacks, as one sentence."""
        parts = []
        if self.never:
            parts.append(f"does not allow {', '.join(sorted(self.never))}")
        if self.perhaps:
            parts.append(f"does not require {', '.join(sorted(self.perhaps))}")
        return (
            f"The profile {profile} {' and '.join(parts)} in a subject, and the provisioning "
            "template takes each of these from it."
        )


def lacking_attributes(template: Template, profile: CertificateProfile) -> LackingAttributes:
    """Return what certificates of ``profile`` may lack.

    A parameter with a Default is not lacking. AWS's page on JITP contradicts that, which
    ``template_problems`` says.
    """
    wanted = {
        name
        for name, parameter in template.parameters.items()
        if name not in ("Id", "CommonName") and parameter.default is None
    }
    never = unfilled_parameters(wanted, profile.subject_attributes)
    required = {"SerialNumber"} if profile.is_serial_number_required else set()
    return LackingAttributes(
        frozenset(ATTRIBUTE_BY_PARAMETER[name] for name in never),
        frozenset(ATTRIBUTE_BY_PARAMETER[name] for name in wanted - never - required),
    )
