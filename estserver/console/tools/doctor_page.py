"""The page of the doctor, and its part of the overview."""

from collections.abc import Sequence

from django import forms
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from estserver.console.registry import Panel, PanelLine, Section, console, console_page
from estserver.console.rendering import render_page
from estserver.console.tools.page_parts import LEVEL_CHIPS, level_chip, two_sentences
from estserver.tools.doctor.checks import Diagnosis
from estserver.tools.doctor.examination import examine, summary, summary_of
from pki.admin.display import table, visible

SEES = "pki.view_certificateauthority"


class DoctorForm(forms.Form):
    """How far the doctor looks."""

    with_others = forms.BooleanField(
        required=False,
        initial=True,
        label="Ask signers and AWS too",
        help_text="Takes some seconds. A call of KMS or of a PKI may be charged for.",
    )


@console_page(
    section=Section.TOOLS,
    title=gettext_noop("Doctor"),
    name="console_doctor",
    route="tools/doctor/",
    permission=SEES,
    methods=("GET", "POST"),
)
def doctor_page(request: HttpRequest) -> HttpResponseBase:
    """Show the form, and by POST one line a check. It is a POST because it asks other services."""
    form = DoctorForm(request.POST or None)
    answer: SafeString | str = ""
    if request.method == "POST" and form.is_valid():
        found = list(examine(with_others=form.cleaned_data["with_others"]))
        answer = _answer(found)
    context = {
        "title": gettext("Doctor"),
        "form": form,
        "answer": answer,
        "button": gettext("Examine"),
        "introduction": "Looks at settings, database, CAs, keys, profiles, AWS IoT, what waits, "
        "and the deployment. Nothing is changed.",
        "command": "manage.py doctor",
    }
    return render_page(request, "admin/console/tool.html", context)


def _answer(found: Sequence[Diagnosis]) -> SafeString:
    counted = summary_of(found)
    others = [one for one in found if one.level == "OK"]
    lines = table(
        ("State", "Check", "What was found", "Explained in"),
        (
            (
                level_chip(one.level),
                one.name,
                two_sentences(one.finding, one.advice),
                format_html("<code>{}</code>", one.docs),
            )
            for one in (*counted.worst, *others)
        ),
    )
    return format_html(
        "<h2>{} failed, {} with a warning, {} OK</h2>{}",
        counted.failures,
        counted.warnings,
        counted.ok,
        lines,
    )


def panel_lines() -> list[PanelLine]:
    """Return what the overview shows of the doctor: what is not OK, or that all is."""
    found = summary()
    lines = []
    for one in found.worst:
        word, kind = LEVEL_CHIPS[one.level]
        text = visible(f"{one.name}: {one.finding}")
        lines.append(PanelLine(word=word, kind=kind, text=text, todo=visible(one.advice)))
    if not lines:
        text = f"{found.ok} quick checks passed. The doctor's page runs all of them."
        lines.append(PanelLine(word="OK", kind="good", text=text))
    return lines


console.add_panel(
    Panel(
        title="Doctor",
        read=panel_lines,
        permissions=(SEES,),
        url_name="admin:console_doctor",
    )
)
