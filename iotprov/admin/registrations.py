"""The page of device CAs in AWS IoT: which target has which, and their settings there."""

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, gettext_noop

from iotprov.admin.registration_operations import (
    Compare,
    RegisterAgain,
    RegisterAll,
    RegisterCA,
    device_cas,
    status_of,
)
from iotprov.conf import iot_settings
from iotprov.models import CARegistration
from pki.admin import CertificateAuthorityAdmin, FactAdmin
from pki.admin.display import EMPTY, chip, code, flag, link, minute, moment, visible, words
from pki.admin.search import Term
from pki.models import CertificateAuthority


@admin.display(description=gettext_lazy("registered at"))
def registrations_of(ca: CertificateAuthority) -> str:
    """Show each target on a CA's page, with the state there."""
    rows = CARegistration.objects.filter(ca=ca).select_related("ca")
    lines = ((chip(*status_of(row)), link(row, row.target)) for row in rows)
    return format_html_join(", ", "{} {}", lines) or EMPTY


CertificateAuthorityAdmin.extend(
    operations=(RegisterCA,), groups=(("AWS IoT", (registrations_of,)),)
)


@admin.register(CARegistration)
class CARegistrationAdmin(FactAdmin):
    """One row for each CA and target."""

    list_display = (
        "state_chip",
        words("ca", "CA"),
        "target",
        "status",
        words("error", "last error"),
        minute("checked_at", "looked at"),
    )
    list_display_links = (list_display[1],)
    list_filter = ("state",)
    list_select_related = ("ca",)
    search_fields = ("certificate_id",)
    search_help_text = gettext_noop(
        "The beginning of a CA's name or of a target's, or a CA certificate ID"
    )
    empty_words = gettext_noop(
        "No CA is registered in AWS IoT yet, so it refuses every device. “Register” above does "
        "what `manage.py register_ca` does; run sync_policy and sync_template first."
    )
    operations = (RegisterAll, Compare, RegisterAgain)
    groups = (
        (None, ("state_chip", "ca_link", "target", words("error"), words("note"))),
        (
            gettext_noop("In AWS IoT, after the last check"),
            (
                code("certificate_id", "CA certificate ID"),
                words("arn", "ARN"),
                "status",
                "mode",
                flag("is_auto_registration_on", "auto registration"),
                words("template_name", "JITP template"),
                moment("checked_at", "looked at"),
            ),
        ),
    )

    def search_condition(self, term: Term) -> Q:
        """Search without regard to indexes, because there are few rows."""
        return (
            Q(ca__name__istartswith=term.text)
            | Q(target__istartswith=term.text)
            | Q(certificate_id=term.sha256 or term.text)
        )

    def summary(self, request: HttpRequest) -> SafeString | str:
        """Show which CAs that issue are not registered, and where."""
        known = set(CARegistration.objects.values_list("ca_id", "target"))
        missing = [
            (visible(str(ca)), target.name)
            for ca in device_cas()
            for target in iot_settings().targets
            if (ca.pk, target.name) not in known
        ]
        if not missing:
            return ""
        return format_html(
            "<p>{} {}</p>",
            chip("Not registered", "soon"),
            format_html_join(", ", "{} at {}", missing),
        )

    def audit_term(self, row: CARegistration) -> str:
        """Return the target of the CA's events."""
        return f"ca:{row.ca.name}"

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_chip(self, row: CARegistration) -> SafeString:
        """Show the state."""
        return chip(*status_of(row))

    @admin.display(description=gettext_lazy("CA"))
    def ca_link(self, row: CARegistration) -> str:
        """Link to the CA's page."""
        return link(row.ca)
