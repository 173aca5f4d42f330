"""The overview's page, and the page on which a notice is acknowledged."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from estserver.console.devices.links import state_url
from estserver.console.overview.charts import bar_chart
from estserver.console.overview.fleet import refusals_url
from estserver.console.overview.notices import acknowledge
from estserver.console.overview.report import notice, read_overview
from estserver.console.registry import Section, console, console_page, may
from estserver.console.rendering import render_page
from pki.admin.authorities import status_of as status_of_ca
from pki.admin.display import chip, visible
from pki.admin.operations import ReasonForm, admin_actor
from pki.devices.states import DeviceState
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError

SEES = (
    "pki.view_certificateauthority",
    "pki.view_issuedcertificate",
    "pki.view_auditevent",
    "pki.view_job",
    "iotprov.view_provisioning",
)
"""What a person needs to see the numbers, all of them: they are of the whole installation."""

_STATES_TO_LOOK_AT = (
    DeviceState.DUE,
    DeviceState.OVERDUE,
    DeviceState.STOPPED,
    DeviceState.CONFLICTING,
)
"""The states of devices that have to come back. They are not counted: that would read the fleet."""

TAKES_ON = "estserver.add_acknowledgement"


def overview_context(request: HttpRequest) -> dict[str, Any]:
    """Return what the overview shows to the signed-in person."""
    if not all(may(request, (one,)) for one in SEES):
        return {"overview": None}
    overview = read_overview()
    months = [(month.label, month.figure.count) for month in overview.fleet.months]
    return {
        "overview": overview,
        "chart": bar_chart("Certificates that expire in each month", months),
        "cards": [(card, chip(*status_of_ca(card.ca))) for card in overview.cards],
        "refusals_day": refusals_url(1),
        "refusals_month": refusals_url(30),
        "has_ca": CertificateAuthority.Purpose.DEVICE in {one.ca.purpose for one in overview.cards},
        "may_acknowledge": may(request, (TAKES_ON,)),
        "device_states": [
            {"title": gettext(state.word), "url": state_url(state)} for state in _STATES_TO_LOOK_AT
        ],
        "panels": [
            (panel, panel.read(), reverse(panel.url_name) if panel.url_name else "")
            for panel in console.panels
            if may(request, panel.permissions)
        ],
    }


@console_page(
    section=Section.OVERVIEW,
    title=gettext_noop("Acknowledge a notice"),
    name="console_acknowledge",
    route="notices/<path:key>/acknowledge/",
    permission=TAKES_ON,
    methods=("GET", "POST"),
    is_in_navigation=False,
)
def acknowledge_page(request: HttpRequest, key: str) -> HttpResponseBase:
    """Ask for a reason, and record that the signed-in person takes the notice on."""
    found = notice(key)
    if found is None:
        if request.method == "POST":
            messages.info(request, "The notice is solved, so there is nothing to acknowledge.")
            return HttpResponseRedirect(reverse("admin:index"))
        raise Http404
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            acknowledge(found, actor=admin_actor(request), reason=form.cleaned_data["reason"])
        except OperatorError as error:
            form.add_error("reason", visible(str(error)))
        else:
            messages.success(request, f"Acknowledged: {visible(found.what)}")
            return HttpResponseRedirect(reverse("admin:index"))
    context = {
        "title": gettext("Acknowledge a notice"),
        "form": form,
        "what": visible(found.what),
        "todo": visible(found.todo),
    }
    return render_page(request, "admin/console/acknowledge.html", context)
