"""The page that inspects what an operator pastes."""

from typing import Any

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables

from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from estserver.console.tools.page_parts import (
    facts,
    given,
    label_field,
    level_chip,
    pasted_text,
    two_sentences,
)
from estserver.tools.inspected import Inspected
from pki.admin.display import link, table, visible
from pki.operators.errors import OperatorError


class InspectForm(forms.Form):
    """What is inspected."""

    content = pasted_text(
        label="Text",
        help_text="A certificate, CSR, public key or PKCS #7 in PEM or base64, or a line of API "
        "Gateway's access log. Never a private key.",
    )
    file = forms.FileField(required=False, help_text="Or a file with one of these, also in DER.")
    label = label_field()

    def clean(self) -> dict[str, Any]:
        """Refuse a form with nothing, or with both a text and a file."""
        found = super().clean() or {}
        has_text, has_file = bool(found.get("content")), found.get("file") is not None
        if has_text == has_file:
            self.add_error(
                "content",
                "There are a text and a file. Give one of them."
                if has_text
                else "There is nothing to inspect. Paste a text, or choose a file.",
            )
        return found


@console_page(
    section=Section.TOOLS,
    title=gettext_noop("Inspect"),
    name="console_inspect",
    route="tools/inspect/",
    permission="pki.view_issuedcertificate",
    methods=("GET", "POST"),
)
@sensitive_post_parameters()
@sensitive_variables()
def inspect_page(request: HttpRequest) -> HttpResponseBase:
    """Show the form, and above it what was pasted is. Nothing of it is kept."""
    # Imported here: it reads access logs, and with them knows the deployment.
    from estserver.tools.inspection import MOST_BYTES, PRIVATE_KEY_REFUSED, inspect

    form = InspectForm(request.POST or None, request.FILES or None)
    answer: SafeString | str = ""
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        try:
            content = given(chosen["content"], chosen["file"], most=MOST_BYTES)
            answer = _answer(inspect(content, label=chosen["label"]), level=2)
        except OperatorError as error:
            if str(error) == PRIVATE_KEY_REFUSED:  # the page must not send it back
                form = InspectForm({"content": ""})
                form.errors["content"] = form.error_class([str(error)])
            else:
                form.add_error("content", visible(str(error)))
    context = {
        "title": gettext("Inspect"),
        "form": form,
        "answer": answer,
        "button": gettext("Inspect"),
        "introduction": "Says what it is, and what the rules and the record say of it. Nothing of "
        "it is kept or logged.",
        "command": "manage.py inspect FILE",
    }
    return render_page(request, "admin/console/tool.html", context)


def _answer(found: Inspected, *, level: int) -> SafeString:
    """Return the answer as HTML, with a heading of that level."""
    heading = format_html("<h{}>{}</h{}>", level, f"{found.what[0].upper()}{found.what[1:]}", level)
    findings = table(
        ("State", "Finding"),
        ((level_chip(one.level), two_sentences(one.finding, one.advice)) for one in found.findings),
    )
    rows = format_html_join(
        "",
        "<li>{} {}</li>",
        ((row._meta.verbose_name, link(row)) for row in found.rows),
    )
    return format_html(
        "{}{}{}{}{}",
        heading,
        findings if found.findings else "",
        format_html("<p>On record:</p><ul>{}</ul>", rows) if rows else "",
        facts(found.groups),
        format_html_join("", "{}", ((_answer(part, level=level),) for part in found.parts)),
    )
