"""The operation that downloads a test client's key with its certificate (PKCS #12)."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_noop
from django.views.decorators.debug import sensitive_post_parameters

from pki.admin.downloads import Download, file_name
from pki.admin.operations import Operation, admin_actor, with_refusal
from pki.authorities.test_client import client_on_disk, key_file
from pki.models import IssuedCertificate
from pki.operators.errors import OperatorError

_SHORTEST = 8  # characters


def _password(label: str, help_text: str, autocomplete: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": autocomplete}),
        help_text=help_text,
    )


class KeyFileForm(forms.Form):
    """The person's own password, and one for the file."""

    own = _password("Your password", "The one with which you sign in here.", "current-password")
    new = _password(
        "Password of the file",
        f"The file is encrypted with it. Use at least {_SHORTEST} characters.",
        "new-password",
    )
    repeated = _password("Password of the file, again", "", "new-password")

    def __init__(self, *args: Any, person: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person

    def clean_own(self) -> str:
        """Refuse another password than the person's."""
        given: str = self.cleaned_data["own"]
        if not self.person.check_password(given):
            raise forms.ValidationError("This is not your password. Nothing was downloaded.")
        return given

    def clean(self) -> dict[str, Any] | None:
        """Refuse a short password, and two that differ."""
        cleaned = super().clean() or self.cleaned_data
        new = cleaned.get("new", "")
        if new and len(new) < _SHORTEST:
            self.add_error(
                "new", f"It has {len(new)} characters. Use at least {_SHORTEST} characters."
            )
        elif "repeated" in cleaned and new != cleaned["repeated"]:
            self.add_error("repeated", "The two passwords differ. Type the same one twice.")
        return cleaned


@method_decorator(sensitive_post_parameters(), name="dispatch")
class DownloadKeyFile(Operation):
    """Download key and certificate of a test client."""

    slug = "key-file"
    label = gettext_noop("Download key (.p12)")
    is_dangerous = True
    form_class = KeyFileForm

    @classmethod
    def obstacle(cls, row: IssuedCertificate) -> str:
        """Only a test client's key is here, on a server of one's own."""
        is_client = row.operation == IssuedCertificate.Operation.CLIENT
        if not is_client or not client_on_disk(row.fingerprint_sha256 or ""):
            return f"The key of {row} is not on this machine."
        return ""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Add the person whose password is asked for."""
        return {**super().get_form_kwargs(), "person": self.request.user}

    def effects(self) -> list[str]:
        """Say what the file is worth."""
        return [
            "Whoever has the file and its password can enroll devices as this client, until its "
            "certificate is revoked. The audit trail says that you took it."
        ]

    def form_valid(self, form: forms.BaseForm) -> HttpResponse:
        """Answer with the file."""
        row: IssuedCertificate = self.row
        try:
            content = key_file(
                row, password=form.cleaned_data["new"], actor=admin_actor(self.request)
            )
        except OperatorError as error:
            return self.form_invalid(with_refusal(form, error))
        name = file_name(row.common_name, row.serial_number, suffix="p12")
        response = Download(name, "application/x-pkcs12", content).as_response()
        response["Cache-Control"] = "no-store"
        return response
