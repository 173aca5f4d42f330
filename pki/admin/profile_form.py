"""The form of a profile's settings, with what stands beside them: reason, confirmation, sample."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.utils.html import escape
from django.utils.translation import gettext, gettext_noop

from pki.admin.display import visible
from pki.admin.operations import PastedText, reason_field
from pki.admin.profile_preview import Sample
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.encoding.pem import has_private_key
from pki.models import CertificateAuthority, CertificateProfile
from pki.models.profile import EVERY_CLIENT_CA
from pki.record.profile_lockouts import EVERY_SETTING, Lockout

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


_MAX_PASTED = 20_000  # characters; a CSR has some thousand
_NO_SETTINGS = frozenset({"reason", "confirm", "sample_csr", "sample_client"})


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


def confirmation_field() -> ChoicesField:
    """Return the field for lockouts that a person confirms. ``offer_lockouts`` shows its boxes."""
    return ChoicesField(
        choices=[(name, name) for name in sorted(EVERY_SETTING)],
        required=False,
        label="Refuse these devices",
        help_text=gettext_noop("Tick each that is meant. Nothing was changed yet."),
    )


def offer_lockouts(form: forms.BaseForm, found: Iterable[Lockout]) -> None:
    """Put a box for each lockout, and for those that are ticked already, into the form."""
    sentences = {one.setting: one.sentence for one in found}
    ticked = {name: name for name in form.cleaned_data["confirm"]}
    field = form.fields["confirm"]
    assert isinstance(field, ChoicesField)  # noqa: S101  # confirmation_field() made it
    field.choices = [
        (name, visible(f"{LABELS.get(name, name)}: {sentence}"))
        for name, sentence in (ticked | sentences).items()
    ]


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for type checkers only
    """All settings of a profile. The service checks whether they fit together."""

    key_algorithms = ChoicesField(choices=[(name, name) for name in KEY_ALGORITHMS])
    subject_attributes = ChoicesField(
        choices=[(name, name) for name in SUBJECT_ATTRIBUTES],
        required=False,
        help_text=gettext_noop("What the subject may hold beside CN."),
    )
    client_cas = ChoicesField(
        required=False,
        help_text=gettext_noop(
            "Whose clients may use the profile. None ticked: the only client CA on record."
        ),
    )
    accepted_profiles = ChoicesField(
        required=False,
        help_text=gettext_noop("Other profiles whose device certificates may renew here."),
    )
    allowed_names = LinesField(
        required=False, help_text=gettext_noop("Rule 'allow-list': the thing names, one a line.")
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
    confirm = confirmation_field()
    sample_csr = forms.CharField(
        label="Sample CSR",
        max_length=_MAX_PASTED,
        required=False,
        widget=PastedText(attrs={"rows": 4, "cols": 60, "class": "document"}),
        help_text=gettext_noop(
            "In PEM form. Empty: one that the server makes, as the settings want it."
        ),
    )
    sample_client = forms.CharField(
        label="Sample client",
        max_length=64,
        required=False,
        widget=widgets.AdminTextInputWidget,
        help_text=gettext_noop("The common name of the client that sends it. Empty: a new client."),
    )

    class Meta:
        model = CertificateProfile
        labels = LABELS
        exclude = ("version", "created_at")  # noqa: DJ006  # a new column is one more setting

    def __init__(self, *args: Any, without: tuple[str, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in without:
            del self.fields[name]
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
            none = gettext("There is none to choose from yet.")
            field.help_text = f"{gettext(str(field.help_text))} {none}"

    def clean_sample_csr(self) -> str:
        """Refuse a private key, which is not read (threat T64)."""
        text: str = self.cleaned_data["sample_csr"]
        if has_private_key(text.encode()):
            raise forms.ValidationError(gettext("This is a private key. Paste the CSR."))
        return text

    def _post_clean(self) -> None:
        """Leave the instance unchanged. The service validates the settings."""

    def is_usable(self) -> bool:
        """Return whether the settings can be read, for a preview, which needs no reason."""
        self.is_valid()
        self.errors.pop("reason", None)
        return not self.errors

    def settings(self) -> dict[str, Any]:
        """Return the settings from the form, by column."""
        return {
            name: value for name, value in self.cleaned_data.items() if name not in _NO_SETTINGS
        }

    def sample(self) -> Sample:
        """Return what the preview is made for."""
        return Sample(self.cleaned_data["sample_csr"], self.cleaned_data["sample_client"].strip())

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

SAMPLE = (gettext_noop("Preview for"), ("sample_csr", "sample_client"))
CONFIRM = (gettext_noop("Confirm what it refuses"), ("confirm",))
