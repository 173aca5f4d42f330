"""The operation that downloads a test client's key with its certificate (PKCS #12)."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.debug import sensitive_post_parameters

from pki.admin.downloads import Download, file_name
from pki.admin.operations import Operation, admin_actor, with_refusal
from pki.authorities.test_client import client_on_disk, key_file
from pki.models import IssuedCertificate
from pki.operators.errors import OperatorError

_SHORTEST = 8  # characters, as the text below the field says


def _password(label: str, help_text: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=help_text,
    )


class KeyFileForm(forms.Form):
    """A password for the file. The names say what it is, so that no page keeps it."""

    new_password = _password(
        "Password of the file",
        gettext_noop("The file is encrypted with it. Use at least 8 characters."),
    )
    repeated_password = _password("Password of the file, again", "")

    def clean(self) -> dict[str, Any] | None:
        """Refuse a short password, and two that differ."""
        cleaned = super().clean() or self.cleaned_data
        new, repeated = cleaned.get("new_password", ""), cleaned.get("repeated_password")
        if new and len(new) < _SHORTEST:
            short = gettext(
                "It has {count} characters. Use at least {shortest} characters."
            ).format(count=len(new), shortest=_SHORTEST)
            self.add_error("new_password", short)
        elif repeated is not None and new != repeated:
            differ = gettext("The two passwords differ. Type the same one twice.")
            self.add_error("repeated_password", differ)
        return cleaned


@method_decorator(sensitive_post_parameters(), name="dispatch")
class DownloadKeyFile(Operation):
    """Download key and certificate of a test client."""

    slug = "key-file"
    label = gettext_noop("Download key (.p12)")
    is_dangerous = True
    asks_again = True
    form_class = KeyFileForm

    @classmethod
    def obstacle(cls, row: IssuedCertificate) -> str:
        """Only a test client's key is here, on a server of one's own."""
        is_client = row.operation == IssuedCertificate.Operation.CLIENT
        if not is_client or not client_on_disk(row.fingerprint_sha256 or ""):
            return gettext("The key of {row} is not on this machine.").format(row=row)
        return ""

    def effects(self) -> list[str]:
        """Say what the file is worth."""
        return [
            gettext(
                "With the file and its password anybody can enroll devices as this client, "
                "until its certificate is revoked. The audit trail says that you took it."
            )
        ]

    def form_valid(self, form: forms.BaseForm) -> HttpResponse:
        """Answer with the file."""
        row: IssuedCertificate = self.row
        try:
            content = key_file(
                row, password=form.cleaned_data["new_password"], actor=admin_actor(self.request)
            )
        except OperatorError as error:
            return self.form_invalid(with_refusal(form, error))
        name = file_name(row.common_name, row.serial_number, suffix="p12")
        response = Download(name, "application/x-pkcs12", content).as_response()
        response["Cache-Control"] = "no-store"
        return response
