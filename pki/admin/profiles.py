"""Profiles: read version by version; a change is a new version, with a reason."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin import widgets
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from pki.admin.display import EMPTY, chip, flag, link, list_of, minute, moment, visible, words
from pki.admin.facts import FactAdmin
from pki.admin.filters import ChoiceFilter
from pki.admin.operations import Done, Operation
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.record.audit_trail import Actor
from pki.record.profile_versions import add_profile, change_profile
from pki.record.transactions import in_write_transaction

_LABELS = {
    "ca": "CA",
    "is_key_unique": "A public key belongs to one thing name",
    "is_serial_number_required": "The subject needs a serialNumber",
    "can_client_reenroll": "Clients may renew their devices' certificates",
    "can_adopt_names": "Clients may adopt names from elsewhere",
    "can_reuse_key": "Renewal may keep the key",
    "reenroll_window_days": "Renewal window, days",
    "overlap_days": "Overlap, days",
    "iot_removal_days": "AWS IoT removal, days after the overlap",
    "idempotency_seconds": "Repetition window, seconds",
    "validity_days": "Validity, days",
}


class LinesField(forms.CharField):
    """A list of words, one a line."""

    widget = forms.Textarea(attrs={"rows": 5, "cols": 60})

    def prepare_value(self, value: Any) -> Any:
        """The list as lines; what was typed stays as it is."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """The lines as a list, blank ones left out."""
        return [line.strip() for line in (value or "").splitlines() if line.strip()]


class ChoicesField(forms.MultipleChoiceField):
    """A list of known words, each with a box to tick."""

    widget = forms.CheckboxSelectMultiple


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers only
    """Everything that a profile says. The service checks how the parts fit together."""

    key_algorithms = ChoicesField(choices=[(name, name) for name in KEY_ALGORITHMS])
    subject_attributes = ChoicesField(
        choices=[(name, name) for name in SUBJECT_ATTRIBUTES],
        required=False,
        help_text="What the subject may hold beside CN.",
    )
    allowed_names = LinesField(
        required=False, help_text="Rule 'allow-list': the thing names, one a line."
    )
    csrattrs = LinesField(
        label="CSR attributes",
        required=False,
        help_text=(
            "What /csrattrs advises (RFC 7030 4.5.2), one a line: an OID, or OID=OID, or "
            "OID=number; empty: 204. P-256 keys: 1.2.840.10045.2.1=1.2.840.10045.3.1.7"
        ),
    )
    reason = forms.CharField(
        max_length=400,
        widget=widgets.AdminTextInputWidget(attrs={"class": "vLargeTextField"}),
        help_text="For the audit trail: whoever reads it later will ask.",
    )

    class Meta:
        model = CertificateProfile
        labels = _LABELS
        exclude = ("version", "created_at")  # noqa: DJ006  # a new column is one more setting

    def __init__(self, *args: Any, without: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields[without]
        for field in self.fields.values():
            field.help_text = escape(field.help_text)  # Django takes it for HTML: "<label>"
        ca = self.fields["ca"]
        assert isinstance(ca, forms.ModelChoiceField)  # noqa: S101  # it is a foreign key
        ca.queryset = CertificateAuthority.objects.device().issuing()

    def _post_clean(self) -> None:
        """Nothing: the row stays as it is, and the service judges the new one."""

    def settings(self) -> dict[str, Any]:
        """What was filled in, by column."""
        return {name: value for name, value in self.cleaned_data.items() if name != "reason"}

    def changes_to(self, profile: CertificateProfile) -> dict[str, Any]:
        """What differs from ``profile``; the order of ticked boxes says nothing."""
        changes = {}
        for name, value in self.settings().items():
            old = getattr(profile, name)
            ticked = isinstance(self.fields[name], ChoicesField)
            if (set(value) != set(old)) if ticked else (value != old):
                changes[name] = value
        return changes


_FIELDSETS = (
    ("Issues", ("ca", "label", "validity_days")),
    (
        "Takes",
        (
            "key_algorithms",
            "is_key_unique",
            "subject_attributes",
            "is_serial_number_required",
            "san_rule",
            "pop_linking",
        ),
    ),
    ("Who may have which name", ("identity_rule", "identity_pattern", "allowed_names")),
    (
        "Renewal",
        (
            "can_client_reenroll",
            "can_adopt_names",
            "can_reuse_key",
            "reenroll_window_days",
            "overlap_days",
            "iot_provisioning",
            "iot_removal_days",
            "idempotency_seconds",
        ),
    ),
    ("Tells clients", ("csrattrs", "is_smime_type_sent")),
)


class ChangeProfile(Operation):
    """Put a new version in force."""

    slug = "new-version"
    label = "Change (new version)"
    form_class = ProfileForm
    fieldsets = (*_FIELDSETS, ("Why", ("reason",)))

    @classmethod
    def obstacle(cls, row: CertificateProfile) -> str:
        """Only the version in force has a next one."""
        if not row.is_in_force:
            return f"{row} isn't in force any more: change the newest version."
        return ""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Start from what holds now; a profile keeps its name."""
        return {**super().get_form_kwargs(), "instance": self.row, "without": "name"}

    def effects(self) -> list[str]:
        """What a version is."""
        return [
            f"A new version takes the place of {self.row} for every enrollment from now on. "
            "What was issued keeps the version it was issued under."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """In one transaction: the old version out of force, the new one in."""
        assert isinstance(form, ProfileForm)  # noqa: S101  # form_class says so
        reason = form.cleaned_data["reason"]
        changes = form.changes_to(self.row)
        if not changes:
            return Done(f"Nothing differs from {self.row}, so it stays in force.", self.row)

        def change() -> CertificateProfile:
            row = CertificateProfile.objects.select_related("ca").get(pk=self.row.pk)
            return change_profile(row, changes, actor=actor, reason=reason)

        successor = in_write_transaction(change)
        return Done(f"{successor} is in force.", successor)


class AddProfile(Operation):
    """Put a profile of a new name in force."""

    slug = "add"
    label = "Add a profile"
    permission = "add"
    is_for_list = True
    form_class = ProfileForm
    fieldsets = ((None, ("name",)), *_FIELDSETS)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Start from the defaults; a beginning needs no reason."""
        defaults = CertificateProfile()
        return {**super().get_form_kwargs(), "instance": defaults, "without": "reason"}

    def effects(self) -> list[str]:
        """What a label is."""
        return ["Clients choose the profile by its label: /.well-known/est/<label>/simpleenroll."]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """In one transaction with its audit row."""
        assert isinstance(form, ProfileForm)  # noqa: S101  # form_class says so
        settings = form.settings()

        def add() -> CertificateProfile:
            return add_profile(CertificateProfile(**settings), actor=actor)

        profile = in_write_transaction(add)
        return Done(f"{profile} is in force.", profile)


class InForceFilter(ChoiceFilter):
    """Whether new certificates follow the version."""

    title = "in force"
    parameter_name = "in_force"
    choices_offered = {
        "yes": ("Yes", lambda: Q(active_label__isnull=False)),
        "no": ("No, replaced", lambda: Q(active_label__isnull=True)),
    }


def _list(field: str, title: str) -> Any:
    """A field that shows a list of words."""

    @admin.display(description=title)
    def show(row: CertificateProfile) -> str:
        return visible(", ".join(map(str, getattr(row, field)))) or EMPTY

    show.__name__ = f"{field}_shown"
    return show


_FLAGS = (
    "is_key_unique",
    "is_serial_number_required",
    "can_client_reenroll",
    "can_adopt_names",
    "can_reuse_key",
)
_SHOWN = {
    **{name: flag(name, _LABELS[name]) for name in _FLAGS},
    "is_smime_type_sent": flag("is_smime_type_sent", "smime-type on cacerts"),
    "ca": "ca_link",
    "label": "label_shown",
    "key_algorithms": _list("key_algorithms", "key algorithms"),
    "subject_attributes": _list("subject_attributes", "subject attributes"),
    "identity_pattern": words("identity_pattern", "identity pattern"),
    "allowed_names": _list("allowed_names", "allowed names"),
    "csrattrs": _list("csrattrs", "CSR attributes"),
}


@admin.register(CertificateProfile)
class CertificateProfileAdmin(FactAdmin):
    """Every version there ever was."""

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
    search_help_text = "The beginning of a name or label"
    empty_words = (
        "There is no profile yet, so nothing can be issued. Run `manage.py bootstrap_cas`: it "
        "makes the first one, from the configuration."
    )
    operations = (AddProfile, ChangeProfile)
    groups = (
        (
            None,
            ("status", words("name"), "version", moment("created_at", "made"), "certificates"),
        ),
        *((title, tuple(_SHOWN.get(name, name) for name in names)) for title, names in _FIELDSETS),
    )

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """So that the index offers it; ``add/`` is the operation ``AddProfile``."""
        return AddProfile.is_allowed(request, CertificateProfile)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """There are few profiles."""
        text = search_term.strip()
        if not text:
            return queryset, False
        return queryset.filter(Q(name__istartswith=text) | Q(label__istartswith=text)), False

    def audit_term(self, row: CertificateProfile) -> str:
        """The target as the trail writes it."""
        return f"profile:{row.name}"

    @admin.display(description="status")
    def status(self, row: CertificateProfile) -> SafeString:
        """A chip."""
        return chip("In force", "good") if row.is_in_force else chip("Replaced", "past")

    @admin.display(description="label", ordering="label")
    def label_shown(self, row: CertificateProfile) -> str:
        """Its path, or that it is the default."""
        return row.label or "none: the default"

    @admin.display(description="CA")
    def ca_link(self, row: CertificateProfile) -> str:
        """The CA that signs for it."""
        return link(row.ca)

    @admin.display(description="live certificates")
    def certificates(self, row: CertificateProfile) -> str:
        """How many were issued under this version, with the list of the name's."""
        return format_html(
            '<a href="{}">{}</a>',
            list_of(IssuedCertificate, profile__name=row.name),
            IssuedCertificate.objects.filter(profile=row).live().count(),
        )
