"""The preview of a profile's settings: what they would refuse, and what they would make.

`pki` knows what they would refuse. A package above `pki` registers a previewer for the rest.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from pki.admin.display import chip, visible
from pki.models import CertificateProfile
from pki.record.profile_lockouts import Lockout

PREVIEW: Final = "preview"
"""The name of the button that sends the form to look at it, and not to save it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The request that the preview is made for. "" for what the server chooses."""

    csr: str = ""
    """In PEM form."""
    client: str = ""
    """The common name of the client that sends it."""


Previewer = Callable[[CertificateProfile, Sample], SafeString]
"""Returns what a profile that is not saved would make of a sample, in HTML. Writes nothing."""

_previewers: list[Previewer] = []


def register(previewer: Previewer) -> Previewer:
    """Add a part to the preview, below those that were added before."""
    _previewers.append(previewer)
    return previewer


def preview_of(profile: CertificateProfile, found: Iterable[Lockout], sample: Sample) -> SafeString:
    """Return the preview of a profile that is not saved, with the devices that it would refuse."""
    lines = ((chip("Refuses devices", "bad"), visible(one.sentence)) for one in found)
    refused = format_html_join("", "<li>{} {}</li>", lines)
    said = format_html("<ul>{}</ul>", refused) if refused else ""
    parts = format_html_join("", "{}", ((make(profile, sample),) for make in _previewers))
    return format_html("{}{}", said, parts)


def unusable() -> SafeString:
    """Return what stands in place of a preview when the settings cannot be used."""
    said = gettext("These settings cannot be used. The fields that are marked say why.")
    return format_html("<p>{} {}</p>", chip("Not usable", "bad"), said)
