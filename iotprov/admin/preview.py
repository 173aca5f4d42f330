"""The operation that shows what a certificate would become in AWS IoT."""

import json
from typing import Any

from django import forms
from django.contrib.admin import widgets
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_noop

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
from pki.operators.errors import OperatorError
from pki.revocation.revoke import find_certificate

_MAX_PASTED = 20_000  # characters; a certificate has some two thousand


class PreviewForm(forms.Form):
    """One certificate on record, or one certificate or CSR as PEM text."""

    serial_number = forms.CharField(
        max_length=200,
        required=False,
        widget=widgets.AdminTextInputWidget,
        help_text="The serial number or SHA-256 of a certificate on record.",
    )
    pasted = forms.CharField(
        label="Or paste one",
        max_length=_MAX_PASTED,
        required=False,
        widget=PastedText(attrs={"rows": 12, "cols": 80, "class": "document"}),
        help_text="A certificate or a CSR, in PEM form.",
    )
    target = forms.ChoiceField(
        required=False,
        help_text="AWS is asked for the account's number. Without a target, the placeholders stay.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offer_targets(self, without="None: leave the placeholders")

    def clean(self) -> dict[str, Any] | None:
        """Require exactly one of the two."""
        cleaned = super().clean() or self.cleaned_data
        given = [name for name in ("serial_number", "pasted") if cleaned.get(name)]
        if not self.errors and len(given) != 1:
            raise forms.ValidationError("Give a serial number, or paste a certificate or CSR.")
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
            "The preview shows the thing that the provisioning template in force makes, and the "
            "IoT policy in force with its variables filled in for it. Nothing changes anywhere."
        ]

    def answer(self, form: forms.BaseForm) -> SafeString:
        """Do what ``manage.py preview_iot`` does."""
        asked = form.cleaned_data
        found = preview(
            _source(asked["serial_number"], asked["pasted"]),
            template_body=body_in_force(Kind.TEMPLATE),
            policy_body=body_in_force(Kind.POLICY),
            **_place(asked["target"]),
        )
        return format_html(
            "<h2>Thing</h2>{}<h2>Policy, as it works for it</h2>{}",
            _thing(found),
            numbered(json.dumps(found.policy, indent=2, ensure_ascii=False)),
        )


def _source(serial_number: str, pasted: str) -> Source:
    if pasted:
        return parse_source(pasted.encode(), "The pasted text")
    row = find_certificate(serial_number)
    if row.der is None:
        raise OperatorError(f"{row} was never signed. There is no certificate to preview.")
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
    pairs = [
        ("Subject", found.subject),
        ("Certificate ID", found.certificate_id or "none before it is signed"),
        ("Thing", thing.thing_name),
        *((f"Attribute {name}", value) for name, value in thing.attributes.items()),
        ("Thing type", thing.thing_type),
        ("Groups", ", ".join(thing.groups)),
        ("Billing group", thing.billing_group),
        ("Certificate", " ".join((thing.certificate_status, thing.principal_type)).strip()),
        ("Policies", ", ".join(thing.policy_names)),
        ("If the thing exists", _overrides_in_words(overrides)),
        ("Variables left as they are", ", ".join(f"${{{name}}}" for name in found.unresolved)),
    ]
    return table((), ((name, visible(value)) for name, value in pairs if value))


_OVERRIDES_IN_WORDS = {
    Override.DO_NOTHING: "kept",
    Override.REPLACE: "replaced",
    Override.MERGE: "merged",
    Override.FAIL: "refused when they differ",
}


def _overrides_in_words(overrides: Overrides) -> str:
    said = {
        "attributes": overrides.attributes,
        "thing type": overrides.thing_type,
        "groups": overrides.groups,
        "the certificate's status": overrides.certificate_status,
    }
    return ", ".join(f"{what}: {_OVERRIDES_IN_WORDS[one]}" for what, one in said.items())
