"""The filters of the list of certificates, each of which reads a bounded part of a fleet."""

import datetime
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import F, Q, QuerySet
from django.db.models.lookups import GreaterThan, In
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_noop

from pki.admin.bounded_count import newest, newest_condition
from pki.admin.certificate_states import EXPIRING, newest_of
from pki.admin.filters import OF_THE_NEWEST, ChoiceFilter, TypedFilter
from pki.encoding.lint import lint
from pki.encoding.reading import UNREADABLE
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.models.fields import NoIndex, first_identifier
from pki.search.terms import Term

State = IssuedCertificate.State


def _expires(days: int) -> Q:
    now = timezone.now()
    is_soon = Q(not_after__gt=now, not_after__lte=now + datetime.timedelta(days=days))
    return _in_state(State.ISSUED) & is_soon


def _in_state(*states: State) -> Q:
    """Return the condition for states beside one that has the better index."""
    return Q(In(NoIndex(F("state")), [*states]))


def _outlives(state: State, at: datetime.datetime) -> Q:
    """Return the condition for a state of which most rows outlive ``at``: read in their order."""
    return Q(state=state) & Q(GreaterThan(NoIndex(F("not_after")), at))


class StatusFilter(ChoiceFilter):
    """Certificates by the words that their chips show."""

    title = gettext_noop("status")
    parameter_name = "status"
    choices_offered = {
        "active": (
            "Active",
            lambda: _outlives(State.ISSUED, timezone.now() + EXPIRING),
        ),
        "expiring-7": ("Expiring within 7 days", lambda: _expires(7)),
        "expiring": ("Expiring within 30 days", lambda: _expires(EXPIRING.days)),
        "expiring-90": ("Expiring within 90 days", lambda: _expires(90)),
        "expired": (
            "Expired",
            lambda: _in_state(State.ISSUED, State.SUPERSEDED) & Q(not_after__lte=timezone.now()),
        ),
        "superseded": (
            "Superseded",
            lambda: _outlives(State.SUPERSEDED, timezone.now()),
        ),
        "revoked": ("Revoked", lambda: Q(state=State.REVOKED)),
        "intent": ("Intent", lambda: Q(state=State.INTENT)),
        "void": ("Void", lambda: Q(state=State.VOID)),
    }
    orders = {
        "expiring-7": ("not_after",),
        "expiring": ("not_after",),
        "expiring-90": ("not_after",),
        "expired": ("-not_after",),
    }


class OperationFilter(ChoiceFilter):
    """What the certificate was issued for."""

    title = f"operation{OF_THE_NEWEST}"
    parameter_name = "operation__exact"
    has_index = False
    choices_offered = {
        choice.value: (choice.label, partial(Q, operation=choice.value))
        for choice in IssuedCertificate.Operation
    }


class CAFilter(ChoiceFilter):
    """The CA that signed. Those of a CA that has a successor are older than the successor."""

    title = f"CA{OF_THE_NEWEST}"
    parameter_name = "ca__id__exact"
    has_index = False

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the CAs."""
        return [(str(ca.pk), ca.name) for ca in CertificateAuthority.objects.order_by("name")]

    def chosen(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the newest certificates of the CA."""
        return newest_of(CertificateAuthority.objects.get(pk=value), queryset)


class _VersionsFilter(ChoiceFilter):
    """The versions of profiles that have a value in common."""

    has_index = False
    column = ""
    """The column of the profile, whose values are offered."""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the values."""
        values = CertificateProfile.objects.order_by(self.column).values_list(
            self.column, flat=True
        )
        return [(value, value) for value in values.distinct() if value]

    def chosen(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the newest certificates of these versions."""
        found = CertificateProfile.objects.filter(**{self.column: value})
        return newest(queryset).filter(profile__in=[*found.values_list("pk", flat=True)])


class ProfileFilter(_VersionsFilter):
    """The profile, in any version."""

    title = f"profile{OF_THE_NEWEST}"
    parameter_name = "profile__name"
    column = "name"


class LabelFilter(_VersionsFilter):
    """The label of the profile, in any version that had it."""

    title = f"label{OF_THE_NEWEST}"
    parameter_name = "profile__label"
    column = "label"


class MadeFilter(ChoiceFilter):
    """When a certificate was asked for, by its identifier, which begins with the time."""

    title = gettext_noop("when it was made")
    parameter_name = "made"
    choices_offered = {
        "today": ("Today", lambda: _made_since(timezone.now().replace(hour=0, minute=0, second=0))),
        "7-days": ("Past 7 days", lambda: _made_since(timezone.now() - datetime.timedelta(days=7))),
        "30-days": (
            "Past 30 days",
            lambda: _made_since(timezone.now() - datetime.timedelta(days=30)),
        ),
        "365-days": (
            "Past 365 days",
            lambda: _made_since(timezone.now() - datetime.timedelta(days=365)),
        ),
    }


def _made_since(at: datetime.datetime) -> Q:
    return Q(pk__gte=first_identifier(at))


class RequestFilter(TypedFilter):
    """Certificates by who asked for them: the client's certificate, and the address."""

    title = gettext_noop("who asked")
    inputs = (
        ("client", "Client certificate, SHA-256", "text"),
        ("address", "Source IP, among the newest", "text"),
    )

    def condition(self) -> Q:
        """Compare the client by its index, and the address in the newest rows."""
        found = Q()
        if client := self.typed("client"):
            term = Term.parse(client)
            if not term.sha256:
                raise ValidationError("The client is not a SHA-256. Use 64 hexadecimal digits.")
            found &= Q(client_fingerprint=term.sha256)
        if address := self.typed("address"):
            known = Term.parse(address).address
            if not known:
                raise ValidationError(f"{address[:64]!a} is not an IP address.")
            found &= newest_condition(IssuedCertificate.objects.all()) & Q(source_ip=known)
        return found


MOST_LINTED = 500
"""Certificates that the lint looks at, each of which takes it about half a millisecond."""


class LintFilter(ChoiceFilter):
    """Certificates in which the lint finds something. Nothing of it is on record.

    It is the last filter, so it looks at the newest of what the others leave.
    """

    title = f"lint, of the newest {MOST_LINTED:,}"
    parameter_name = "lint"
    has_index = False

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the two results."""
        return [("failed", "Failed: it has findings"), ("passed", "Passed: no findings")]

    def chosen(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Lint the newest certificates that there are, and return those with the result."""
        rows = queryset.order_by("-pk").select_related("ca").defer(None).defer("csr_der")
        issuers: dict[Any, Any] = {}
        found = []
        for row in rows[:MOST_LINTED]:
            if row.der is None:
                continue
            if row.ca_id not in issuers:
                issuers[row.ca_id] = row.ca.certificate
            if _has_findings(row, issuers[row.ca_id]) == (value == "failed"):
                found.append(row.pk)
        return queryset.filter(pk__in=found)


def _has_findings(row: IssuedCertificate, issuer: Any) -> bool:
    """Return whether the lint finds anything. A certificate that cannot be read is a finding."""
    try:
        return bool(lint(row.to_x509(), issuer))
    except UNREADABLE:
        return True
