"""The page that asks what the server would answer to a CSR."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.debug import sensitive_post_parameters

from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from estserver.console.tools.page_parts import (
    facts,
    given,
    label_field,
    pasted_text,
    verdict_table,
)
from estserver.est.chunked import MAX_BODY_BYTES
from estserver.tools.asking_client import AskingClient
from estserver.tools.decoded import contents_groups
from estserver.tools.dry_run import DryRun, Question, dry_run
from pki.admin.display import chip, link, visible
from pki.encoding.shapes import holds_private_key
from pki.issuance.request import Operation
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError

NO_CA = ("", "(a certificate on record, by its thing name, serial number or SHA-256)")


def _client_cas() -> list[tuple[str, str]]:
    names = CertificateAuthority.objects.client().values_list("name", flat=True)
    return [NO_CA, *((name, f"a client of {name}, by its common name") for name in names)]


class DryRunForm(forms.Form):
    """The request that is asked about."""

    csr = pasted_text(label="CSR", help_text="PKCS #10 in PEM or base64.")
    csr_file = forms.FileField(required=False, label="CSR as a file")
    operation = forms.ChoiceField(
        choices=[
            (Operation.ENROLL, "simpleenroll: a first certificate"),
            (Operation.REENROLL, "simplereenroll: a renewal"),
        ]
    )
    label = label_field()
    client = pasted_text(
        label="Client certificate",
        help_text="In PEM, with its chain. Without one, say below who the client is.",
    )
    client_name = forms.CharField(required=False, label="Client by name", max_length=200)
    client_ca = forms.ChoiceField(choices=_client_cas, required=False, label="The name is of")

    def clean(self) -> dict[str, Any]:
        """Refuse a request without a CSR or a client, and one with a private key."""
        found = super().clean() or {}
        if not found.get("csr") and found.get("csr_file") is None:
            self.add_error("csr", "There is no CSR. Paste one, or choose a file.")
        if bool(found.get("client")) == bool(found.get("client_name")):
            self.add_error(
                "client", "Give either the client's certificate, or the client's name below."
            )
        for name in ("csr", "client"):
            if holds_private_key(found.get(name, "").encode()):
                # The page must not send it back.
                self.data = {**dict(self.data.items()), name: ""}
                self.add_error(name, "That has a private key. It was not read, nor kept.")
        return found

    def question(self) -> Question:
        """Return what is asked."""
        chosen = self.cleaned_data
        return Question(
            given(chosen["csr"], chosen["csr_file"], most=MAX_BODY_BYTES),
            AskingClient(
                chosen["client"].encode(), chosen["client_name"].strip(), chosen["client_ca"]
            ),
            Operation(chosen["operation"]),
            chosen["label"],
        )


@console_page(
    section=Section.TOOLS,
    title=gettext_noop("Dry run"),
    name="console_dry_run",
    route="tools/dry-run/",
    permission="pki.view_issuedcertificate",
    methods=("GET", "POST"),
)
@sensitive_post_parameters()
def dry_run_page(request: HttpRequest) -> HttpResponseBase:
    """Show the form, and above it the verdicts. Nothing is signed, and nothing is written."""
    form = DryRunForm(request.POST or None, request.FILES or None)
    answer: SafeString | str = ""
    if request.method == "POST" and form.is_valid():
        try:
            answer = _answer(dry_run(form.question()))
        except OperatorError as error:
            form.add_error("client", visible(str(error)))
    context = {
        "title": gettext("Dry run of an enrollment"),
        "form": form,
        "answer": answer,
        "button": gettext("Ask"),
        "introduction": "Says step by step what the server would answer to this request now. It "
        "asks the rules that an enrollment asks. Nothing is signed, and nothing is written.",
        "command": "manage.py dry_run CSR --client FILE",
    }
    return render_page(request, "admin/console/tool.html", context)


def _answer(found: DryRun) -> SafeString:
    word = chip("Granted", "good") if found.is_granted else chip("Refused", "bad")
    verdicts = verdict_table(found.verdicts)
    earlier = (
        format_html("<p>The certificate: {}</p>", link(found.earlier)) if found.earlier else ""
    )
    contents = (
        format_html("<h2>What would be signed</h2>{}", facts(contents_groups(found.certificate)))
        if found.certificate
        else ""
    )
    return format_html("<h2>The answer: {}</h2>{}{}{}", word, verdicts, earlier, contents)
