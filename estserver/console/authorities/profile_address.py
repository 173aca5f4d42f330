"""A profile's address for devices, on its page and in its preview, with commands to copy."""

from django.conf import settings
from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy, gettext_noop

from estserver.operations.device_commands import ClientFiles, label_commands
from estserver.operations.est_address import est_address
from pki.admin import profile_preview
from pki.admin.display import EMPTY
from pki.admin.profiles import CertificateProfileAdmin
from pki.authorities.test_client import TEST_CLIENT
from pki.choices import IdentityRule
from pki.models import CertificateProfile

NAME = "device-1"
"""The thing name in the commands, where the identity rule does not say which it may be."""


@admin.display(description=gettext_lazy("EST address"))
def address(row: CertificateProfile) -> SafeString | str:
    """Show where devices reach the profile, while it is in force."""
    if not row.is_in_force:
        return EMPTY
    return format_html("<code>{}</code>", est_address().url(row.label))


@admin.display(description=gettext_lazy("commands"))
def commands(row: CertificateProfile) -> SafeString | str:
    """Show what a person pastes to fetch the CAs, to enroll and to renew at the label."""
    if not row.is_in_force:
        return EMPTY
    found = label_commands(est_address(), _client(), row.label, _name(row))
    return format_html_join(
        "",
        "<details><summary>{}</summary><p>{}</p>"
        '<pre class="commands" tabindex="0">{}</pre></details>',
        ((gettext(one.title), gettext(one.needs), one.lines) for one in found),
    )


def _client() -> ClientFiles:
    test_client = ClientFiles.of_test_client(settings.EST_DATA_DIR, TEST_CLIENT)
    return test_client if test_client.certificate.exists() else ClientFiles()


def _name(row: CertificateProfile) -> str:
    """Return a thing name that the identity rule lets the test client have, if there is one."""
    if row.identity_rule == IdentityRule.ALLOW_LIST and row.allowed_names:
        return str(row.allowed_names[0])
    return TEST_CLIENT if row.identity_rule == IdentityRule.SAME_CN else NAME


def preview(profile: CertificateProfile, sample: profile_preview.Sample) -> SafeString:
    """Return the address that the settings give, and the one that it replaces."""
    in_force = CertificateProfile.objects.filter(name=profile.name).exclude(active_label=None)
    before, at = in_force.first(), est_address()
    title, after = gettext("EST address"), at.url(profile.label)
    if before is None or before.label == profile.label:
        return format_html("<h3>{}</h3><p><code>{}</code></p>", title, after)
    return format_html(
        "<h3>{}</h3><p>{} <code>{}</code><br>{} <code>{}</code></p><p>{}</p>",
        title,
        gettext("Before:"),
        at.url(before.label),
        gettext("After:"),
        after,
        gettext("Devices that use the old address are refused."),
    )


CertificateProfileAdmin.extend(groups=((gettext_noop("Address"), (address, commands)),))
profile_preview.register(preview)
