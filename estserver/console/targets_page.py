"""The targets of AWS IoT: what each should have, what it has, and how the two differ."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop

from estserver.console.overview.work import Waiting, read_waiting
from estserver.console.registry import Section, console_page
from estserver.console.rendering import render_page
from iotprov.conf import iot_settings
from iotprov.documents.state import Agreement, target_states
from iotprov.documents.versions import Kind, body_in_force
from iotprov.exceptions import DocumentError
from iotprov.jobs.findings import FoundDifference, LastComparison, last_comparisons
from iotprov.models import CARegistration
from pki.admin.display import EMPTY, chip, link, page_of, table, utc, visible
from pki.models import CertificateProfile

_AGREEMENTS = {
    Agreement.IN_SYNC: "good",
    Agreement.BEHIND: "soon",
    Agreement.FAILED: "bad",
    Agreement.NEVER: "open",
    Agreement.UNKNOWN_TARGET: "over",
}


@dataclass(frozen=True, slots=True)
class ShownTarget:
    """A target as the page shows it."""

    name: str
    place: str
    facts: tuple[tuple[str, str], ...]
    compared: str
    """When the newest comparison was, with a link to its job; "" for never."""
    parts: tuple[tuple[str, str], ...]
    differences: SafeString | str
    """The table of three columns; "" for none."""
    more_url: str
    """The page of the job if there are more differences."""
    compare_url: str
    repair_url: str
    can_repair: bool


@console_page(
    section=Section.AWS_IOT,
    title=gettext_noop("Targets and drift"),
    name="console_targets",
    route="targets/",
    permission="iotprov.view_provisioning",
)
def targets_page(request: HttpRequest) -> HttpResponseBase:
    """Show each target with its newest comparison. AWS is not asked."""
    names = [target.name for target in iot_settings().targets]
    waiting = {one.target: one for one in read_waiting()}
    compared = last_comparisons(names)
    user: Any = request.user
    context = {
        "title": gettext("Targets and drift"),
        "is_used": _uses_aws_iot() or bool(compared),
        "targets": [_shown(name, waiting.get(name), compared.get(name)) for name in names],
        "may_compare": user.has_perm("iotprov.change_provisioning"),
    }
    return render_page(request, "admin/console/targets.html", context)


def _uses_aws_iot() -> bool:
    in_force = CertificateProfile.objects.exclude(active_label=None)
    return in_force.exclude(iot_provisioning="none").exists()


def _shown(name: str, waiting: Waiting | None, last: LastComparison | None) -> ShownTarget:
    (target,) = (one for one in iot_settings().targets if one.name == name)
    differences = last.differences if last else ()
    return ShownTarget(
        name=name,
        place=" ".join(filter(None, [target.region or "the server's region", target.role_arn])),
        facts=tuple(_facts(name, waiting)),
        compared=(
            format_html("{} ({})", utc(last.at), link(last.job, last.job.get_state_display()))
            if last
            else ""
        ),
        parts=last.parts if last else (),
        differences=_table(differences) if differences else "",
        more_url=page_of(last.job) if last and last.has_more else "",
        compare_url=_operation(target=name),
        repair_url=_operation(target=name, repair="yes"),
        can_repair=any(one.is_ours and not one.done for one in differences),
    )


def _operation(**query: str) -> str:
    return f"{reverse('admin:iotprov_provisioning_compare')}?{urlencode(query)}"


def _facts(name: str, waiting: Waiting | None) -> Iterator[tuple[str, str]]:
    """Yield what is on record of the target: documents, CAs and what waits."""
    for kind, words in ((Kind.TEMPLATE, "Provisioning template"), (Kind.POLICY, "Policy")):
        yield words, _document(kind, name)
    rows = CARegistration.objects.filter(target=name).select_related("ca")
    registered = [f"{row.ca.name}: {row.get_state_display()}" for row in rows]
    yield "CAs in AWS IoT", visible(", ".join(registered)) or "none"
    if waiting is not None:
        figures = ((waiting.pending, "waiting"), (waiting.parked, "for a person"))
        shown = ((one.url, one.count, words) for one, words in figures)
        yield "Certificates", format_html_join(", ", '<a href="{}">{} {}</a>', shown)


def _document(kind: Kind, name: str) -> SafeString:
    try:
        body = body_in_force(kind)
    except DocumentError:
        body = ""
    state = next(one for one in target_states(kind, body) if one.target == name)
    shown = chip(state.agreement.value, _AGREEMENTS[state.agreement])
    return format_html("{} has {}", shown, visible(state.holds))


def _table(differences: tuple[FoundDifference, ...]) -> SafeString:
    titles = ("What", "Ours", "AWS", "Difference")
    return table(titles, (_cells(one) for one in differences))


def _cells(one: FoundDifference) -> tuple[str, ...]:
    if one.done:
        shown = chip("Mended", "good")
    elif one.is_under_way:
        shown = chip("Under way", "open")
    elif one.is_alarming:
        shown = chip("Alarm", "bad")
    else:
        shown = chip("Differs", "soon")
    said = " ".join([one.direction + ".", one.done or one.advice])
    return (
        format_html("{} {}", one.kind, visible(one.name)),
        visible(one.ours) or EMPTY,
        visible(one.theirs) or EMPTY,
        format_html("{} {}", shown, visible(said)),
    )
