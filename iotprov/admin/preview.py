"""The operation that shows what a certificate would become in AWS IoT."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from iotprov.admin.targets import offer_targets
from iotprov.admin.texts import numbered
from iotprov.client import account_of, partition_of, region_of
from iotprov.conf import find_target
from iotprov.documents.preview import Preview, Source, parse_source, preview
from iotprov.documents.versions import Kind, body_in_force
from iotprov.template.contents import Override, Overrides
from pki.admin import Question
from pki.admin.display import table, visible
from pki.admin.operations import PastedText
from pki.encoding.pem import has_private_key
from pki.operators.errors import OperatorError
from pki.revocation.revoke import find_certificate

_MAX_PASTED = 20_000  # characters; a certificate has some two thousand


def certificate_field() -> forms.CharField:
    """Return the field for a certificate on record."""
    return forms.CharField(
        label=gettext_noop("Certificate"),
        max_length=200,
        required=False,
        widget=widgets.AdminTextInputWidget,
        help_text=gettext_noop("The serial number or SHA-256 of a certificate on record."),
    )


def pasted_field(*, rows: int) -> forms.CharField:
    """Return the field for a certificate or CSR that is not on record."""
    return forms.CharField(
        label=gettext_noop("Or paste one"),
        max_length=_MAX_PASTED,
        required=False,
        widget=PastedText(attrs={"rows": rows, "cols": 80, "class": "document"}),
        help_text=gettext_noop("A certificate or a CSR, in PEM form."),
    )


class PreviewForm(forms.Form):
    """One certificate on record, or one certificate or CSR as PEM text."""

    serial_number = certificate_field()
    pasted = pasted_field(rows=12)
    target = forms.ChoiceField(
        required=False,
        help_text=gettext_noop(
            "AWS is asked for the account's number. Without a target, the placeholders stay."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_targets(self, without=gettext("None: leave the placeholders"))

    def clean(self) -> dict[str, Any] | None:
        """Require exactly one of the two."""
        cleaned = super().clean() or self.cleaned_data
        given = [name for name in ("serial_number", "pasted") if cleaned.get(name)]
        if not self.errors and len(given) != 1:
            raise forms.ValidationError(
                gettext("Give a serial number, or paste a certificate or CSR.")
            )
        return cleaned


class ShowPreview(Question):
    """Show what JITP, or registration, would make of a device."""

    slug = "preview"
    label = gettext_noop("Preview")
    is_for_list = True
    form_class = PreviewForm

    def get_initial(self) -> dict[str, Any]:
        """Start with the certificate whose page led here."""
        return {"serial_number": self.request.GET.get("serial", "")}

    def effects(self) -> list[str]:
        """Say from what the preview is worked out."""
        return [
            gettext(
                "The preview shows the thing that the provisioning template in force makes, and "
                "the IoT policy in force with its variables filled in for it. Nothing changes "
                "anywhere."
            )
        ]

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Do what ``manage.py preview_iot`` does."""
        asked = form.cleaned_data
        return preview_block(
            source_of(asked["serial_number"], asked["pasted"]),
            body_in_force(Kind.TEMPLATE),
            body_in_force(Kind.POLICY),
            _place(asked["target"]),
        )


def preview_block(
    source: Source, template_body: str, policy_body: str, place: Mapping[str, str]
) -> SafeString:
    """Return in HTML the thing and the policy that two texts give to a certificate or CSR.

    ``place`` has account, region and partition, or nothing. Raises what ``preview`` raises.
    """
    found = preview(source, template_body=template_body, policy_body=policy_body, **place)
    return format_html(
        "<h2>{}</h2>{}<h2>{}</h2>{}",
        gettext("Thing"),
        _thing(found),
        gettext("Policy, as it works for it"),
        numbered(json.dumps(found.policy, indent=2, ensure_ascii=False)),
    )


def source_of(serial_number: str, pasted: str) -> Source:
    """Return what was pasted, or else the certificate on record.

    Raises ``OperatorError`` if it cannot be read, or is not on record.
    """
    if has_private_key(pasted.encode()):
        raise OperatorError(
            gettext(
                "That is a private key. It was not read, and nothing of it was kept. Paste a "
                "certificate or a CSR. If other people could see the key on the way here, make "
                "a new one."
            )
        )
    if pasted:
        return parse_source(pasted.encode(), gettext("The pasted text"))
    row = find_certificate(serial_number)
    if row.der is None:
        raise OperatorError(
            gettext("{row} was never signed. There is no certificate to preview.").format(row=row)
        )
    return row.to_x509()


def _place(name: str) -> dict[str, str]:
    target = find_target(name)
    if target is None:
        return {}
    return {
        "account": account_of(target),
        "region": region_of(target),
        "partition": partition_of(target),
    }


def _thing(found: Preview) -> SafeString:
    thing, overrides = found.thing, found.thing.overrides
    attribute = gettext("Attribute {name}")
    pairs = [
        (gettext("Subject"), found.subject),
        (gettext("Certificate ID"), found.certificate_id or gettext("none before it is signed")),
        (gettext("Thing"), thing.thing_name),
        *((attribute.format(name=name), value) for name, value in thing.attributes.items()),
        (gettext("Thing type"), thing.thing_type),
        (gettext("Groups"), ", ".join(thing.groups)),
        (gettext("Billing group"), thing.billing_group),
        (
            gettext("Certificate"),
            " ".join((thing.certificate_status, thing.principal_type)).strip(),
        ),
        (gettext("Policies"), ", ".join(thing.policy_names)),
        (gettext("If the thing exists"), _overrides_in_words(overrides)),
        (
            gettext("Variables left as they are"),
            ", ".join(f"${{{name}}}" for name in found.unresolved),
        ),
    ]
    return table((), ((visible(name), visible(value)) for name, value in pairs if value))


_OVERRIDES_IN_WORDS = {
    Override.DO_NOTHING: gettext_noop("kept"),
    Override.REPLACE: gettext_noop("replaced"),
    Override.MERGE: gettext_noop("merged"),
    Override.FAIL: gettext_noop("refused when they differ"),
}


def _overrides_in_words(overrides: Overrides) -> str:
    said = {
        gettext("attributes"): overrides.attributes,
        gettext("thing type"): overrides.thing_type,
        gettext("groups"): overrides.groups,
        gettext("the certificate's status"): overrides.certificate_status,
    }
    return ", ".join(f"{what}: {gettext(_OVERRIDES_IN_WORDS[one])}" for what, one in said.items())
