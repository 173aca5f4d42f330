"""The page of profiles: every version, which ones are in force, and what each demands."""

from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, gettext_noop

from pki.admin.bounded_count import newest
from pki.admin.certificate_states import live_in_words
from pki.admin.display import EMPTY, chip, flag, link, list_of, minute, moment, visible, words
from pki.admin.facts import FactAdmin
from pki.admin.filters import OF_THE_NEWEST, ChoiceFilter
from pki.admin.profile_form import FIELDSETS, LABELS
from pki.admin.profile_operations import AddProfile, ChangeProfile
from pki.admin.profile_versions import CompareVersions, ReturnToVersion
from pki.admin.search import Term
from pki.models import CertificateProfile, IssuedCertificate
from pki.models.profile import EVERY_CLIENT_CA
from pki.record.profile_labels import accepts_every_client_ca


class InForceFilter(ChoiceFilter):
    """Whether new certificates are issued under the version."""

    title = gettext_noop("in force")
    parameter_name = "in_force"
    choices_offered = {
        "yes": ("Yes", lambda: Q(active_label__isnull=False)),
        "no": ("No, replaced", lambda: Q(active_label__isnull=True)),
    }


def _list(field: str, title: str) -> Any:
    """Return a field that shows a list of words."""

    @admin.display(description=title)
    def show(row: CertificateProfile) -> str:
        return visible(", ".join(map(str, getattr(row, field)))) or EMPTY

    show.__name__ = f"{field}_shown"
    return show


_FLAGS = (
    "is_key_unique",
    "is_serial_number_required",
    "can_client_reenroll",
    "can_rebind_names",
    "can_adopt_names",
    "can_reuse_key",
)
_SHOWN = {
    **{name: flag(name, LABELS[name]) for name in _FLAGS},
    "is_smime_type_sent": flag("is_smime_type_sent", "smime-type on cacerts"),
    "ca": "ca_link",
    "label": "label_shown",
    "key_algorithms": _list("key_algorithms", "key algorithms"),
    "subject_attributes": _list("subject_attributes", "subject attributes"),
    "identity_pattern": words("identity_pattern", "identity pattern"),
    "allowed_names": _list("allowed_names", "allowed names"),
    "client_cas": "client_cas_shown",
    "accepted_profiles": _list("accepted_profiles", "accepts devices of the profiles"),
    "csrattrs": _list("csrattrs", "CSR attributes"),
}


@admin.register(CertificateProfile)
class CertificateProfileAdmin(FactAdmin):
    """Every version of every profile."""

    list_display = (
        "status",
        words("name"),
        "version",
        "label_shown",
        "ca",
        "validity_days",
        "identity_rule",
        minute("created_at", "made"),
    )
    list_display_links = (list_display[1],)
    list_filter = (InForceFilter, "name")
    list_select_related = ("ca",)
    search_fields = ("name",)
    search_help_text = gettext_noop("The beginning of a name or label")
    empty_words = gettext_noop(
        "There is no profile yet, so nothing can be issued. Run `manage.py bootstrap_cas`: it "
        "makes the first one, from the configuration."
    )
    operations = (AddProfile, ChangeProfile, CompareVersions, ReturnToVersion)
    groups = (
        (
            None,
            ("status", words("name"), "version", moment("created_at", "made"), "certificates"),
        ),
        *((title, tuple(_SHOWN.get(name, name) for name in names)) for title, names in FIELDSETS),
    )

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Return whether the index offers ``add/``, which is the operation ``AddProfile``."""
        return AddProfile.is_allowed(request, CertificateProfile)

    def search_condition(self, term: Term) -> Q:
        """Search without regard to indexes, because there are few profiles."""
        return Q(name__istartswith=term.text) | Q(label__istartswith=term.text)

    def audit_term(self, row: CertificateProfile) -> str:
        """Return the target of the profile's events."""
        return f"profile:{row.name}"

    @admin.display(description=gettext_lazy("status"))
    def status(self, row: CertificateProfile) -> SafeString:
        """Show whether the version is in force."""
        return chip("In force", "good") if row.is_in_force else chip("Replaced", "past")

    @admin.display(description=gettext_lazy("label"), ordering="label")
    def label_shown(self, row: CertificateProfile) -> str:
        """Show the label, or that the profile is the default."""
        return row.label or "none: the default"

    @admin.display(description=gettext_lazy("CA"))
    def ca_link(self, row: CertificateProfile) -> str:
        """Link to the CA that signs for it."""
        return link(row.ca)

    @admin.display(description=gettext_lazy("client CAs"))
    def client_cas_shown(self, row: CertificateProfile) -> str:
        """Show whose clients may use the profile, with a warning where it names no CA."""
        if EVERY_CLIENT_CA not in row.client_cas:
            return visible(", ".join(row.client_cas)) or EMPTY
        if row.is_in_force and accepts_every_client_ca(row):
            return format_html(
                "{} {}",
                chip("Every client CA", "soon"),
                "There are several. Name those whose clients may use the profile.",
            )
        return "every client CA"

    @admin.display(description=f"live certificates{OF_THE_NEWEST}")
    def certificates(self, row: CertificateProfile) -> str:
        """Show how many were issued under this version, with a link to those of the profile."""
        issued = newest(IssuedCertificate.objects.all()).filter(profile=row)
        return format_html(
            '<a href="{}">{}</a>',
            list_of(IssuedCertificate, profile__name=row.name),
            live_in_words(issued),
        )
