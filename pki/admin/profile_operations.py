"""Operations on profiles: add one, or put a new version of one in force."""

from typing import Any

from django import forms
from django.utils.html import escape
from django.utils.translation import gettext_noop

from pki.admin.operations import Done, Operation, reason_field
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.models import CertificateAuthority, CertificateProfile
from pki.models.profile import EVERY_CLIENT_CA
from pki.record.audit_trail import Actor
from pki.record.profile_versions import add_profile, change_profile
from pki.record.transactions import in_write_transaction

LABELS = {
    "ca": "CA",
    "client_cas": "Client CAs",
    "accepted_profiles": "Accepts devices of the profiles",
    "is_key_unique": "A public key belongs to one thing name",
    "is_serial_number_required": "The subject needs a serialNumber",
    "can_client_reenroll": "Clients may renew their devices' certificates",
    "can_rebind_names": "A name may be taken over from its holder",
    "can_adopt_names": "Clients may adopt names from elsewhere",
    "new_names_per_hour": "New names of a client within an hour",
    "new_names_ever": "New names of a client ever",
    "can_reuse_key": "Renewal may keep the key",
    "reenroll_window_days": "Renewal window, days",
    "overlap_days": "Overlap, days",
    "iot_removal_days": "AWS IoT removal, days after the overlap",
    "idempotency_seconds": "Repetition window, seconds",
    "validity_days": "Validity, days",
}


class LinesField(forms.CharField):
    """A field for a list of words, one on each line."""

    widget = forms.Textarea(attrs={"rows": 5, "cols": 60})

    def prepare_value(self, value: Any) -> Any:
        """Return a list as lines, and an operator's text unchanged."""
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        """Return the lines as a list, without blank ones."""
        return [line.strip() for line in (value or "").splitlines() if line.strip()]


class ChoicesField(forms.MultipleChoiceField):
    """A field for a list of known words, each with a box to tick."""

    widget = forms.CheckboxSelectMultiple


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers only
    """All settings of a profile. The service checks whether they fit together."""

    key_algorithms = ChoicesField(choices=[(name, name) for name in KEY_ALGORITHMS])
    subject_attributes = ChoicesField(
        choices=[(name, name) for name in SUBJECT_ATTRIBUTES],
        required=False,
        help_text="What the subject may hold beside CN.",
    )
    client_cas = ChoicesField(
        required=False,
        help_text="Whose clients may use the profile. None ticked: the only client CA on record.",
    )
    accepted_profiles = ChoicesField(
        required=False,
        help_text="Other profiles whose device certificates may renew here.",
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
    reason = reason_field()

    class Meta:
        model = CertificateProfile
        labels = LABELS
        exclude = ("version", "created_at")  # noqa: DJ006  # a new column is one more setting

    def __init__(self, *args: Any, without: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields[without]
        for field in self.fields.values():
            field.help_text = escape(field.help_text)  # Django takes "<label>" for HTML
        ca = self.fields["ca"]
        assert isinstance(ca, forms.ModelChoiceField)  # noqa: S101  # it is a foreign key
        ca.queryset = CertificateAuthority.objects.device().issuing()
        profile = self.instance
        self._offer("client_cas", _client_ca_choices(profile))
        self._offer("accepted_profiles", _profile_choices(profile))

    def _offer(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, ChoicesField)  # noqa: S101  # declared above
        field.choices = choices
        field.label = LABELS[name]
        if not choices:
            field.help_text = f"{field.help_text} There is none to choose from yet."

    def _post_clean(self) -> None:
        """Leave the instance unchanged. The service validates the settings."""

    def settings(self) -> dict[str, Any]:
        """Return the settings from the form, by column."""
        return {name: value for name, value in self.cleaned_data.items() if name != "reason"}

    def changes_to(self, profile: CertificateProfile) -> dict[str, Any]:
        """Return the settings that differ from ``profile``. The order of boxes is ignored."""
        changes = {}
        for name, value in self.settings().items():
            old = getattr(profile, name)
            ticked = isinstance(self.fields[name], ChoicesField)
            if (set(value) != set(old)) if ticked else (value != old):
                changes[name] = value
        return changes


def _client_ca_choices(profile: CertificateProfile) -> list[tuple[str, str]]:
    """Return the client CAs that are trusted or named, and all of them for an old profile."""
    clients = CertificateAuthority.objects.client().order_by("name")
    named = set(profile.client_cas)
    every = [(EVERY_CLIENT_CA, "every client CA on record")] if EVERY_CLIENT_CA in named else []
    return every + [
        (ca.name, ca.name if ca.is_trusted else f"{ca.name} (not trusted any more)")
        for ca in clients
        if ca.is_trusted or ca.name in named
    ]


def _profile_choices(profile: CertificateProfile) -> list[tuple[str, str]]:
    """Return the names of the other profiles."""
    names = CertificateProfile.objects.exclude(name=profile.name).order_by("name")
    return [(name, name) for name in names.values_list("name", flat=True).distinct()]


FIELDSETS = (
    (gettext_noop("Issues"), ("ca", "label", "validity_days")),
    (
        gettext_noop("Takes"),
        (
            "key_algorithms",
            "is_key_unique",
            "subject_attributes",
            "is_serial_number_required",
            "san_rule",
            "san_excess",
            "pop_linking",
        ),
    ),
    (
        gettext_noop("Who may have which name"),
        (
            "client_cas",
            "accepted_profiles",
            "identity_rule",
            "identity_pattern",
            "allowed_names",
            "can_rebind_names",
            "new_names_per_hour",
            "new_names_ever",
        ),
    ),
    (
        gettext_noop("Renewal"),
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
    (gettext_noop("Tells clients"), ("csrattrs", "is_smime_type_sent")),
)


class ChangeProfile(Operation):
    """Put a new version in force."""

    slug = "new-version"
    label = gettext_noop("Change (new version)")
    form_class = ProfileForm
    fieldsets = (*FIELDSETS, ("Why", ("reason",)))
    keeps_what_was_typed = True

    @classmethod
    def obstacle(cls, row: CertificateProfile) -> str:
        """Only the version in force can be changed."""
        if not row.is_in_force:
            return f"{row} is not in force any more. Change the newest version."
        return ""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Start from the version in force. A profile keeps its name."""
        return {**super().get_form_kwargs(), "instance": self.row, "without": "name"}

    def effects(self) -> list[str]:
        """Say what a new version changes."""
        return [
            f"A new version takes the place of {self.row} for every enrollment from now on. "
            "Certificates keep the version under which they were issued."
        ]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Put the old version out of force and the new one in force, in one transaction."""
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
    label = gettext_noop("Add a profile")
    permission = "add"
    is_for_list = True
    form_class = ProfileForm
    fieldsets = ((None, ("name",)), *FIELDSETS)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Start from the defaults. A new profile needs no reason."""
        defaults = CertificateProfile()
        return {**super().get_form_kwargs(), "instance": defaults, "without": "reason"}

    def effects(self) -> list[str]:
        """Say what a label is for."""
        return ["Clients choose the profile by its label: /.well-known/est/<label>/simpleenroll."]

    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Add the profile and its audit event in one transaction."""
        assert isinstance(form, ProfileForm)  # noqa: S101  # form_class says so
        settings = form.settings()

        def add() -> CertificateProfile:
            return add_profile(CertificateProfile(**settings), actor=actor)

        profile = in_write_transaction(add)
        return Done(f"{profile} is in force.", profile)
