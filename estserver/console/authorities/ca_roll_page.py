"""The page of a CA's roll: its steps, and one button for the next."""

import uuid
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, gettext_noop

from estserver.console.authorities.ca_roll import RollStep, StepState, roll_of
from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from pki.admin import CertificateAuthorityAdmin
from pki.admin.display import EMPTY, chip, page_of, visible
from pki.models import CertificateAuthority

_CHIPS = {
    StepState.DONE: "good",
    StepState.NEXT: "soon",
    StepState.WAITING: "open",
    StepState.LATER: "past",
    StepState.NOT_NEEDED: "over",
}


@console_page(
    section=Section.CAS,
    title=gettext_noop("Roll a CA"),
    name="console_ca_roll",
    route="cas/<uuid:pk>/roll/",
    permission="pki.view_certificateauthority",
    is_in_navigation=False,
)
def ca_roll_page(request: HttpRequest, pk: uuid.UUID) -> HttpResponseBase:
    """Show the roll that the CA is part of."""
    roll = roll_of(get_object_or_404(CertificateAuthority, pk=pk))
    step = roll.next
    context = {
        "title": f"Roll {visible(roll.ca.name)}",
        "trail": [(visible(roll.ca.name), page_of(roll.ca))],
        "place": roll.place,
        "steps": [_shown(one) for one in roll.steps],
        "next": step,
        "next_url": step.url if step else "",
    }
    return render_page(request, "admin/console/ca_roll.html", context)


def _shown(step: RollStep) -> dict[str, Any]:
    return {
        "title": step.title,
        "chip": chip(step.state, _CHIPS[step.state]),
        "said": visible(step.said),
        "command": step.command_now,
    }


@admin.display(description=gettext_lazy("roll"))
def roll_link(ca: CertificateAuthority) -> SafeString | str:
    """Show where the CA's roll is, on the CA's page."""
    if not ca.is_trusted or not ca.signer:
        return EMPTY
    url = reverse("admin:console_ca_roll", args=[ca.pk])
    if ca.status == CertificateAuthority.Status.RETIRING or ca.successor_of_id is not None:
        return format_html('<a href="{}">{}</a>', url, "Steps of the roll")
    return format_html('<a href="{}">{}</a>', url, "Roll this CA, step by step")


CertificateAuthorityAdmin.extend(groups=(("Roll", (roll_link,)),))
