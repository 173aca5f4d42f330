"""The page of the outbox: what AWS IoT should have for each certificate, and what it has."""

import datetime
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, gettext_noop

from iotprov.admin.job_operations import CompareAsJob, ReprovisionMatching
from iotprov.admin.provisioning_operations import (
    Park,
    RetryNow,
    WorkThrough,
    park_selected,
    retry_selected,
)
from iotprov.conf import iot_settings
from iotprov.models import Provisioning
from iotprov.provisioning.backlog import Backlog, backlogs
from iotprov.provisioning.desired_state import DesiredState, desired_state
from iotprov.provisioning.impossible_things import obstacle, uses_template
from iotprov.provisioning.record_facts import read_facts
from pki.admin import FactAdmin, IssuedCertificateAdmin
from pki.admin.display import (
    EMPTY,
    chip,
    code,
    flag,
    link,
    list_of,
    minute,
    moment,
    table,
    utc,
    visible,
    words,
)
from pki.admin.filters import ChoiceFilter
from pki.admin.search import Term, starts_with
from pki.models import IssuedCertificate
from pki.record.bounded_counts import MOST_COUNTED, count_in_words

State = Provisioning.State

OVERDUE = datetime.timedelta(minutes=15)
"""How long a row may be due before the page suggests that the schedule does not run."""

LATE = datetime.timedelta(hours=1)
"""How long a row may wait before the page does not show the target as all right any more."""

_MAX_STORY = 80  # characters; the row's own page shows all of it


def status_of(row: Provisioning) -> tuple[str, str]:
    """Return the word for a row's state now, and the kind of chip that shows it."""
    if row.state == State.PARKED:
        return "Parked", "bad"
    now = timezone.now()
    if row.next_attempt_at is not None and row.next_attempt_at <= now - OVERDUE:
        return "Overdue", "soon"
    if row.state == State.SETTLED:
        return "Up to date", "good"
    return ("Failing", "soon") if row.error else ("Waiting", "open")


class TargetFilter(admin.SimpleListFilter):
    """The configured targets. A list of the targets of all rows would read the whole table."""

    title = gettext_noop("target")
    parameter_name = "target"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the configured targets."""
        return [(target.name, target.name) for target in iot_settings().targets]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of a target, which need not be configured any more."""
        value = self.value()
        return queryset.filter(target=value) if value else queryset


class WaitFilter(ChoiceFilter):
    """Whether a row is due, late or failing."""

    title = gettext_noop("waiting")
    parameter_name = "waiting"
    choices_offered = {
        "due": ("Due now", lambda: Q(next_attempt_at__lte=timezone.now())),
        "overdue": (
            f"Overdue for {OVERDUE.total_seconds() / 60:.0f} minutes",
            lambda: Q(next_attempt_at__lte=timezone.now() - OVERDUE),
        ),
        "late": (
            "Waiting for an hour",
            lambda: Q(state=State.PENDING, pending_since__lte=timezone.now() - LATE),
        ),
        "failing": ("Waiting, failed at least once", lambda: _failing()),
    }
    orders = {"due": ("next_attempt_at",), "overdue": ("next_attempt_at",)}


def _failing() -> Q:
    return Q(state=State.PENDING, attempts__gt=0)


def _wanted_of(row: Provisioning) -> DesiredState:
    now = timezone.now()
    return desired_state(read_facts(row.certificate_id, row.target, now), now)


@admin.register(Provisioning)
class ProvisioningAdmin(FactAdmin):
    """One row for each certificate and target."""

    list_display = (
        "state_chip",
        "name",
        "target",
        minute("pending_since", "waits since"),
        "story",
    )
    list_display_links = ("name",)
    list_filter = ("state", TargetFilter, WaitFilter)
    search_fields = ("thing_name",)
    search_help_text = gettext_noop(
        "The beginning of a thing name, a serial number, a certificate ID (SHA-256)"
    )
    empty_words = gettext_noop(
        "No certificate has been provisioned yet. Renewals and revocations add rows, and so does "
        "each certificate of a profile whose iot_provisioning is register. "
        "`manage.py provision_pending` works through them; a schedule has to run it."
    )
    actions = (retry_selected, park_selected)
    operations = (WorkThrough, CompareAsJob, RetryNow, Park)
    groups = (
        (None, ("state_chip", "certificate_link", words("target"), "goal", "goal_until")),
        (
            gettext_noop("In AWS IoT, after the last attempt"),
            (
                words("aws_status", "status of the certificate"),
                code("aws_certificate_id", "certificate ID"),
                words("thing_name", "thing"),
                flag("is_thing_ours", "thing made here"),
                words("note"),
            ),
        ),
        (
            gettext_noop("Work"),
            (
                words("error"),
                "attempts",
                moment("next_attempt_at", "next attempt"),
                moment("leased_until", "being worked on until"),
                flag("is_urgent", "goes before others"),
                moment("pending_since", "waits since"),
                moment("settled_at", "agreed last"),
                moment("created_at", "on record since"),
            ),
        ),
    )

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Return whether the list offers its actions, which need the permission of ``RetryNow``."""
        return RetryNow.is_allowed(request, Provisioning)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the certificate too, without the columns with DER."""
        rows = super().get_queryset(request).select_related("certificate")
        return rows.defer("certificate__der", "certificate__csr_der")

    def search_condition(self, term: Term) -> Q:
        """Compare each form of the term by equality or prefix with a column that has an index."""
        certificates = IssuedCertificate.objects.order_by()
        if term.sha256:
            named = certificates.filter(fingerprint_sha256=term.sha256)
            return Q(certificate__in=named.values("pk"))
        named = certificates.filter(
            starts_with("name_folded", term.name) | Q(serial_number__in=term.serial_numbers)
        )
        # Of a beginning that many names have, some: the rows of things are found by the thing.
        some = named.values("pk")[:MOST_COUNTED]
        return Q(certificate__in=some) | starts_with("thing_name", term.text)

    def summary(self, request: HttpRequest) -> SafeString | str:
        """Show a row for each target: how many certificates wait, failed and agree."""
        found = backlogs()
        if not any(one.pending or one.parked or one.settled for one in found):
            return ""
        titles = (
            "Target", "", "Waiting", "Oldest waits", "Parked", "Up to date", "Due", "Last error",
        )  # fmt: skip
        return table(titles, (_backlog_cells(one) for one in found))

    def audit_term(self, row: Provisioning) -> str:
        """Return the target of the row's events."""
        return f"provisioning:{row.certificate.serial_number} at {row.target}"

    @admin.display(description=gettext_lazy("state"), ordering="state")
    def state_chip(self, row: Provisioning) -> SafeString:
        """Show the state."""
        return chip(*status_of(row))

    @admin.display(description=gettext_lazy("certificate"))
    def name(self, row: Provisioning) -> str:
        """Show the certificate's name and the beginning of its serial number."""
        certificate = row.certificate
        return visible(f"{certificate.common_name} ({certificate.serial_number[:10]}…)")

    @admin.display(description=gettext_lazy("what failed, or what AWS IoT has"))
    def story(self, row: Provisioning) -> str:
        """Show the last error, or what AWS IoT has after the last attempt."""
        thing = f"thing {row.thing_name}" if row.thing_name else ""
        in_aws = ", ".join(filter(None, (row.aws_status, thing, row.note)))
        text = row.error or in_aws or EMPTY
        return visible(text if len(text) <= _MAX_STORY else f"{text[:_MAX_STORY]}…")

    @admin.display(description=gettext_lazy("certificate"))
    def certificate_link(self, row: Provisioning) -> str:
        """Link to the certificate's page."""
        return link(row.certificate)

    @admin.display(description=gettext_lazy("wanted"))
    def goal(self, row: Provisioning) -> str:
        """Show what AWS IoT should have now, by the record."""
        found = _wanted_of(row).goal.value
        return found[0].upper() + found[1:]

    @admin.display(description=gettext_lazy("wanted until"))
    def goal_until(self, row: Provisioning) -> str:
        """Show when that changes, unless another event changes it first."""
        return utc(_wanted_of(row).until)


def _backlog_cells(one: Backlog) -> tuple[str, ...]:
    return (
        visible(one.target),
        chip(*_health(one)),
        _count_link(one.pending, target=one.target, state__exact=State.PENDING),
        _age_in_words(one.age) if one.pending else EMPTY,
        _count_link(one.parked, target=one.target, state__exact=State.PARKED),
        count_in_words(one.settled),
        _count_link(one.due, target=one.target, waiting="due"),
        visible(one.error),
    )


def _health(one: Backlog) -> tuple[str, str]:
    if one.parked:
        return "Needs a person", "bad"
    if one.age > LATE:
        return "Late", "soon"
    return ("Working", "open") if one.pending else ("All right", "good")


def _count_link(count: int, **query: str) -> str:
    if not count:
        return "0"
    return format_html('<a href="{}">{}</a>', list_of(Provisioning, **query), count)


def _age_in_words(age: datetime.timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 1:
        return "less than a minute"
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


@admin.display(description=gettext_lazy("provisioned at"))
def provisionings_of(certificate: IssuedCertificate) -> str:
    """Show each target on a certificate's page, with the state and the thing there.

    A live certificate that cannot become a thing is shown as such, with the reason.
    """
    rows = Provisioning.objects.filter(certificate=certificate).order_by("target")
    lines = (
        (chip(*status_of(row)), link(row, row.target), visible(row.note or row.error))
        for row in rows
    )
    shown = format_html_join("", "<div>{} {} {}</div>", lines)
    if reason := _obstacle_in_words(certificate):
        return format_html("<div>{} {}</div>{}", chip("No thing", "bad"), visible(reason), shown)
    return shown or (
        "no target: JITP makes the thing at the first connection, or this profile does not use "
        "AWS IoT"
    )


def _obstacle_in_words(certificate: IssuedCertificate) -> str:
    """Return why the certificate becomes no thing by today's template; "" if it has one or can."""
    profile = certificate.profile
    if certificate.state != IssuedCertificate.State.ISSUED or profile is None:
        return ""
    if not uses_template(profile.iot_provisioning):
        return ""
    if Provisioning.objects.filter(certificate=certificate).exclude(thing_name="").exists():
        return ""
    reason = obstacle(certificate)
    return f"It cannot become a thing. {reason}" if reason else ""


@admin.display(description=gettext_lazy("what it would become"))
def preview_link(certificate: IssuedCertificate) -> str:
    """Link to the preview on a certificate's page."""
    if certificate.der is None:
        return EMPTY
    url = reverse("admin:iotprov_templateversion_preview")
    query = urlencode({"serial": certificate.fingerprint_sha256 or ""})
    return format_html('<a href="{}?{}">Preview the thing and its policy</a>', url, query)


IssuedCertificateAdmin.extend(
    operations=(ReprovisionMatching,), groups=(("AWS IoT", (provisionings_of, preview_link)),)
)
