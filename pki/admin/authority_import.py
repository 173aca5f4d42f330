"""The operation that puts a CA on record which was made elsewhere, with its key or without it."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from django import forms
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from pki.admin.authority_forms import WHAT_DOES_NOT_FOLLOW, NewCAForm, Purpose
from pki.admin.display import visible
from pki.admin.operations import Done, Operation, PastedText
from pki.authorities.custody import custody_of, signers_for_given_keys
from pki.authorities.import_ca import check_key, import_authority
from pki.authorities.new_authority import check_certificates, check_signer_of_import
from pki.authorities.pem_files import parse_private_key
from pki.authorities.signer_keys import find_key
from pki.conf import pki_settings
from pki.encoding.ca_files import read_ca_certificates
from pki.encoding.certificates import fingerprint_of
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

TRUSTED_ONLY, STORE, HAS = "trusted", "store", "has"
"""Where the key of an imported CA is: nowhere here, in the form, or with a signer already."""

_MOST_TEXT = 64 * 1024  # characters


class _SecretText(forms.Textarea):
    """A field for a private key, which no page shows again."""

    def format_value(self, value: Any) -> str:
        return ""


def _pasted(label: str, help_text: str, widget: type[forms.Textarea], **more: Any) -> Any:
    attributes = {"rows": 8, "class": "document", "spellcheck": "false", "autocomplete": "off"}
    return forms.CharField(
        label=label,
        help_text=help_text,
        max_length=_MOST_TEXT,
        strip=False,
        widget=widget(attrs=attributes),
        **more,
    )


class ImportCAForm(NewCAForm):
    """The certificates, and where the key is. The names of secret fields keep them off any page."""

    takes_private_keys = frozenset({"private_key"})

    certificates = _pasted(
        "Certificates (PEM)",
        gettext_noop("The CA's own certificate first, then those above it up to the root."),
        PastedText,
    )
    sha256 = forms.CharField(
        label="SHA-256 of the CA's certificate",
        max_length=200,
        widget=forms.TextInput(attrs={"class": "vLargeTextField", "autocomplete": "off"}),
        help_text=gettext_noop(
            "As its owner told you, as a confirmation that it is the certificate you mean. Of "
            "a file: openssl x509 -noout -fingerprint -sha256 -in FILE."
        ),
    )
    custody = forms.ChoiceField(label="Where the key is")
    private_key = _pasted(
        "Private key (PEM)",
        gettext_noop(
            "PKCS #8 or its older forms. It goes to the signer, and to no session, log or page."
        ),
        _SecretText,
        required=False,
    )
    passphrase = forms.CharField(
        label="Passphrase of the key",
        required=False,
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=gettext_noop("If the key is encrypted. The signer does not keep it."),
    )
    field_order = (
        "name",
        "purpose",
        "certificates",
        "sha256",
        "custody",
        "private_key",
        "passphrase",
        "reason",
    )

    def __init__(self, *args: Any, key_obstacle: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = {} if key_obstacle else signers_for_given_keys().labels
        if not given:
            del self.fields["private_key"], self.fields["passphrase"]
        custody = self.fields["custody"]
        assert isinstance(custody, forms.ChoiceField)  # noqa: S101  # declared above
        custody.choices = [
            ("", "Choose"),
            (f"{TRUSTED_ONLY}:", "Not here: the CA is trusted, and signs nothing (client CAs)"),
            *((f"{STORE}:{alias}", f"In this form, for {given[alias]}") for alias in given),
            *(
                (f"{HAS}:{alias}", f"With the signer already, {custody_of(alias)}")
                for alias in sorted(pki_settings().signers)
            ),
        ]

    def clean_certificates(self) -> Any:
        """Return the certificates, of which the first can be a CA on record here."""
        try:
            certificates = read_ca_certificates(self.cleaned_data["certificates"].encode())
            check_certificates(certificates)
        except (ValueError, OperatorError) as error:
            raise forms.ValidationError(visible(str(error))) from error
        return certificates

    @sensitive_variables()
    def clean(self) -> dict[str, Any]:
        """Ask what the service asks, before any key is stored. The key is in ``key`` then."""
        said = super().clean()
        said["key"] = None
        if not self.has("certificates"):
            return said
        # Step 1: the certificate is the one that the person means.
        self._check_sha256(said)
        # Step 2: a signer that fits the role, and the key.
        if self.has("custody", "purpose"):
            where, _, alias = said["custody"].partition(":")
            said["signer"] = alias
            with self.at("custody"):
                check_signer_of_import(Purpose(said["purpose"]), alias)
                if where == HAS:
                    find_key(alias, said["certificates"][0])
            if where == STORE:
                said["key"] = self._key(said)
            elif said.get("private_key"):
                self.add_error(
                    "custody",
                    gettext(
                        "There is a private key below, and nothing would store it. Choose the "
                        "signer that stores it, or leave the key out."
                    ),
                )
        return said

    def _check_sha256(self, said: dict[str, Any]) -> None:
        if not self.has("sha256"):
            return
        typed = said["sha256"].replace(":", "").replace(" ", "").lower()
        found = fingerprint_of(said["certificates"][0])
        if typed.rpartition("=")[2] != found:
            self.add_error(
                "sha256",
                gettext(
                    "The first certificate has the SHA-256 {found}, which is not what was "
                    "typed. Compare it with what the owner of the CA told you."
                ).format(found=found),
            )

    @sensitive_variables()
    def _key(self, said: dict[str, Any]) -> CertificateIssuerPrivateKeyTypes | None:
        """Return the key of the form, which is that of the certificate; None if it is refused."""
        pem = said.get("private_key", "").encode()
        if not pem.strip():
            self.add_error(
                "private_key",
                gettext(
                    "There is no private key. Paste it, again if the page asked for your "
                    "password in between: keys are not kept meanwhile."
                ),
            )
            return None
        is_encrypted = b"ENCRYPTED" in pem or bool(said.get("passphrase"))
        with self.at("passphrase" if is_encrypted else "private_key"):
            key = parse_private_key(
                pem, passphrase=said.get("passphrase", ""), where="The private key"
            )
            with self.at("private_key"):
                check_key(key, said["certificates"][0])
                return key
        return None


@method_decorator(sensitive_post_parameters(), name="dispatch")
class ImportCA(Operation):
    """Put a CA on record that was made elsewhere."""

    slug = "import"
    label = gettext_noop("Import a CA")
    permission = "add"
    is_for_list = True
    is_dangerous = True
    asks_again = True
    takes_two_persons = True
    form_class = ImportCAForm

    @property
    def _key_obstacle(self) -> str:
        """Why no private key can be given on this page; "" if one can."""
        if self._waits_for_another:
            return gettext(
                "No private key can be given here, because it would have to wait for the "
                "second person. On the server, manage.py cas import takes it."
            )
        return ""

    def get_form_kwargs(self) -> dict[str, Any]:
        """Say whether the form takes a key."""
        return {**super().get_form_kwargs(), "key_obstacle": self._key_obstacle}

    def effects(self) -> list[str]:
        """Say what a CA on record means, and what does not follow by itself."""
        return [
            gettext("The CA goes on record, and this server trusts it."),
            *map(gettext, WHAT_DOES_NOT_FOLLOW),
            gettext(
                "A private key is stored by the signer. The audit trail says so before it is, "
                "and has nothing of the key. Keep the original somewhere safe."
            ),
            *([self._key_obstacle] if self._key_obstacle else []),
            *(f"One signer cannot store it. {one}" for one in signers_for_given_keys().refusals),
        ]

    def subject(self, form: forms.BaseForm) -> str:
        """Return the name of the CA that is to be imported."""
        return str(form.cleaned_data["name"])

    @sensitive_variables()
    def carry_out(self, form: forms.BaseForm, actor: Actor) -> Done:
        """Do what ``manage.py cas import`` does."""
        said = form.cleaned_data
        ca = import_authority(
            Purpose(said["purpose"]),
            said["name"],
            said["certificates"],
            key=said["key"],
            signer=said["signer"],
            actor=actor,
            reason=said["reason"],
        )
        return Done(
            gettext("{ca} is on record, and valid until {not_after:%Y-%m-%d}.").format(
                ca=ca, not_after=ca.not_after
            ),
            ca,
        )
