"""The page that enrolls a test device over real mutual TLS, and takes it back."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from estserver.console.registry import Section, console_page, may
from estserver.console.rendering import render_page
from estserver.console.tools.page_parts import label_field, level_chip, two_sentences
from estserver.operations.est_address import est_address
from estserver.tools.enrollment_test import EnrollmentTest, TimedRow, clean_up, made_by_test
from pki.admin.display import table, visible
from pki.admin.operations import admin_actor
from pki.exceptions import PKIError
from pki.operators.errors import OperatorError

MAKES = "pki.add_issuedcertificate"
TAKES_BACK = "pki.change_issuedcertificate"


class TestEnrollForm(forms.Form):
    """The device that is simulated."""

    name = forms.CharField(
        required=False,
        max_length=64,
        label="Thing name",
        help_text="A name that is not on record. If it is empty: test- and the time.",
    )
    label = label_field()
    has_serial_number = forms.BooleanField(
        required=False,
        label="Ask for a serialNumber and a country too",
        help_text="Some provisioning templates take them from the subject.",
    )


@console_page(
    section=Section.TOOLS,
    title=gettext_noop("Test enrollment"),
    name="console_test_enroll",
    route="tools/test-enroll/",
    permission=MAKES,
    methods=("GET", "POST"),
)
def test_enroll_page(request: HttpRequest) -> HttpResponseBase:
    """Show the form; by POST, run the test and show each step with its time."""
    form = TestEnrollForm(request.POST or None)
    shown: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        test = EnrollmentTest(
            est_address(),
            admin_actor(request),
            chosen["name"].strip(),
            chosen["label"],
            is_cn_only=not chosen["has_serial_number"],
        )
        try:
            shown = {"answer": _answer(list(test.steps())), "test": test}
        except (OperatorError, PKIError) as error:
            form.add_error("name", visible(str(error)))
    context = {
        "title": gettext("Test enrollment"),
        "form": form,
        "button": gettext("Run the test"),
        "introduction": "Makes a key and a client certificate, and does what a device does: TLS, "
        "cacerts, csrattrs, simpleenroll, simplereenroll. The certificates are real, and labelled "
        "as a test on the audit trail. Take them back afterwards.",
        "address": est_address().url(),
        "command": "manage.py test_enroll --revoke",
        "may_take_back": may(request, (TAKES_BACK,)),
        **shown,
    }
    return render_page(request, "admin/console/tool_test_enroll.html", context)


def _answer(steps: list[TimedRow]) -> str:
    return table(
        ("Step", "State", "Milliseconds", "What was found"),
        (
            (
                timed.row.name,
                level_chip(timed.row.level),
                f"{timed.milliseconds:.1f}",
                two_sentences(timed.row.finding, timed.row.advice),
            )
            for timed in steps
        ),
    )


@console_page(
    section=Section.TOOLS,
    title=gettext_noop("Take a test enrollment back"),
    name="console_test_enroll_clean_up",
    route="tools/test-enroll/clean-up/<str:name>/",
    permission=TAKES_BACK,
    methods=("GET", "POST"),
    is_in_navigation=False,
)
def clean_up_page(request: HttpRequest, name: str) -> HttpResponseBase:
    """Say what would be revoked, and by POST revoke it."""
    overview = reverse("admin:console_test_enroll")
    try:
        rows = made_by_test(name)
        if request.method == "POST":
            done = clean_up(name, actor=admin_actor(request))
            messages.success(request, f"{len(done)} certificates of the test were revoked.")
            return HttpResponseRedirect(overview)
    except (OperatorError, PKIError) as error:
        messages.error(request, visible(str(error)))
        return HttpResponseRedirect(overview)
    context = {
        "title": gettext("Take a test enrollment back"),
        "name": visible(name),
        "rows": rows,
        "trail": [("Test enrollment", overview)],
        "back_url": overview,
    }
    return render_page(request, "admin/console/tool_clean_up.html", context)
