"""The page of the audit trail: search, filters and export. Nothing here writes."""

import datetime
import json
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.html import format_html
from django.utils.translation import gettext_lazy, gettext_noop

from pki.admin.audit_operations import VerifyTrail
from pki.admin.bounded_count import newest_condition
from pki.admin.display import EMPTY, code, list_of, minute, moment, shortened, visible, words
from pki.admin.downloads import Export
from pki.admin.facts import FactAdmin
from pki.admin.filters import OF_THE_NEWEST, ChoiceFilter, TypedFilter, day, days, titled
from pki.denylist import kinds
from pki.denylist.values import SERIAL_NUMBER, SHA256
from pki.models import AuditEvent, IssuedCertificate
from pki.search.newest import newest
from pki.search.terms import Term, starts_with

_MOST_CERTIFICATES = 200  # of one name, when a search looks for its events


class KindFilter(ChoiceFilter):
    """Groups of actions. A list of all actions would read the whole trail."""

    title = f"what happened{OF_THE_NEWEST}"
    parameter_name = "kind"
    has_index = False
    choices_offered = {
        "refusals": ("Refusals", lambda: starts_with("action", "refuse-")),
        "issued": ("Issued", lambda: Q(action__in=["intent", "issue", "supersede"])),
        "revoked": ("Revoked or void", lambda: Q(action__in=["revoke", "void"])),
        "denylist": ("Denylist", lambda: Q(action__in=["deny", "allow"])),
        "cas": (
            "CAs",
            lambda: Q(action__in=["begin-ca-key", "create-ca", "import-ca", "succeed-ca"]),
        ),
        "profiles": ("Profiles", lambda: Q(action__in=["add-profile", "change-profile"])),
        "operators": (
            "What operators did",
            lambda: starts_with("actor", "admin:") | starts_with("actor", "command:"),
        ),
    }


class ActorFilter(ChoiceFilter):
    """Groups of actors."""

    title = f"who{OF_THE_NEWEST}"
    parameter_name = "who"
    has_index = False
    choices_offered = {
        "client": ("EST clients", lambda: starts_with("actor", "client:")),
        "admin": ("This admin", lambda: starts_with("actor", "admin:")),
        "command": ("Commands", lambda: starts_with("actor", "command:")),
        "system": ("The system", lambda: Q(actor="system")),
    }


class EventFilter(TypedFilter):
    """Events by day, reason, address and actor, in the newest events or before a day."""

    title = gettext_noop("day, reason, address, actor")
    inputs = (
        ("from", "From (UTC)", "date"),
        ("to", "To (UTC)", "date"),
        ("reason", "Reason: its code, or words of it", "text"),
        ("address", "Source IP", "text"),
        ("actor", "Actor or its beginning, such as alice or command:root", "text"),
    )

    def condition(self) -> Q:
        """Compare days by their index. The rest is looked for in the newest events of these days.

        An index on each would cost every enrollment its place there.
        """
        found = days("at", self.typed("from"), self.typed("to"))
        if not any(self.typed(name) for name in ("reason", "address", "actor")):
            return found
        last = day(self.typed("to"))
        before = last + datetime.timedelta(days=1) if last is not None else None
        found &= newest(AuditEvent, before=before)[0]
        if reason := self.typed("reason"):
            found &= Q(reason__icontains=reason)
        if address := self.typed("address"):
            known = Term.parse(address).address
            if not known:
                raise ValidationError(f"{address[:64]!a} is not an IP address.")
            found &= Q(source_ip=known)
        if actor := self.typed("actor"):
            found &= _of_actor(actor)
        return found


def _of_actor(text: str) -> Q:
    """Return the condition for actors whose name begins with ``text``, with or without its kind.

    So ``alice`` finds what her tokens do (``admin:alice (token ci)``), and what she asked for and
    another person confirmed (``admin:bob for admin:alice``). No index is needed in the newest.
    """
    found = Q(actor__contains=f" for admin:{text}") | Q(actor__contains=f" for {text}")
    for kind in ("", "admin:", "command:", "client:"):
        found |= starts_with("actor", f"{kind}{text}")
    return found


def _condition(term: Term) -> Q:
    certificates = {f"certificate:{number}" for number in term.serial_numbers}
    found = IssuedCertificate.objects.for_name(term.text)
    if term.sha256:
        found = IssuedCertificate.objects.filter(
            Q(fingerprint_sha256=term.sha256) | Q(key_sha256=term.sha256)
        )
    certificates.update(
        f"certificate:{number}"
        for number in found.values_list("serial_number", flat=True)[:_MOST_CERTIFICATES]
    )
    targets = {
        f"{kind}:{text}" for kind in ("thing", "ca", "profile") for text in (term.text, term.name)
    }
    targets.update(_denylist_targets(term))
    actors = {term.text, f"admin:{term.text}", f"command:{term.text}"}
    if term.sha256:
        actors.add(f"client:{term.sha256}")
    return (
        Q(request_id=term.request_id)
        | Q(target__in=[term.text, *sorted(targets | certificates)])
        | Q(actor__in=sorted(actors)) & newest_condition(AuditEvent.objects.all())
    )


def _denylist_targets(term: Term) -> Iterator[str]:
    """Yield the targets of entries that the term may mean, as ``deny`` writes them."""
    for kind in kinds.KINDS:
        if kind.form is SHA256:
            values = [term.sha256] if term.sha256 else []
        elif kind.form is SERIAL_NUMBER:
            values = term.serial_numbers
        else:
            values = [term.text, term.name]
        yield from (f"{kind.value}:{value}" for value in values)


def _json_block(value: Any) -> str:
    if value is None:
        return EMPTY
    # ensure_ascii: control and bidi characters show as their escapes
    return format_html("<pre>{}</pre>", json.dumps(value, indent=2, ensure_ascii=True))


def event_facts(event: AuditEvent) -> dict[str, Any]:
    """Return an event as JSON values, with all that its hash covers, so that it can be checked."""
    return {
        "at": event.at.isoformat(timespec="microseconds"),
        "action": event.action,
        "actor": event.actor,
        "target": event.target,
        "reason": event.reason,
        "request_id": event.request_id,
        "source_ip": event.source_ip,
        "before": event.before,
        "after": event.after,
        "chain": str(event.chain),
        "position": event.position,
        "opening": event.opening,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }


def json_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """Yield each event, oldest first, as a line of JSON."""
    for event in events.order_by("at", "chain", "position").iterator():
        yield json.dumps(event_facts(event), ensure_ascii=True) + "\n"


@admin.register(AuditEvent)
class AuditEventAdmin(FactAdmin):
    """The events, which only the services append."""

    list_display = (
        minute("at", "when"),
        "action",
        "target_link",
        "who",
        words("reason"),
        words("request_id", "request id"),
    )
    list_display_links = ("action",)
    list_filter = (
        # First: those without an index look at the newest of these.
        ("at", titled("when", admin.DateFieldListFilter)),
        KindFilter,
        ActorFilter,
        EventFilter,
    )
    operations = (VerifyTrail,)
    search_fields = ("request_id",)
    search_help_text = gettext_noop(
        "Whole words: a request id, a thing name, a serial number, a SHA-256, "
        "an actor such as alice or command:root"
    )
    empty_words = gettext_noop("The audit trail is empty.")
    export = Export("Download as JSON lines", "audit", "jsonl", "application/jsonl", json_lines)
    groups = (
        (
            None,
            (
                moment("at", "when"),
                "action",
                "target_link",
                words("actor"),
                words("reason"),
                words("request_id", "request id"),
                "source_ip",
                "before_shown",
                "after_shown",
                "place",
                code("previous_hash", "hash of the row before it"),
                code("hash", "hash"),
            ),
        ),
    )

    def search_condition(self, term: Term) -> Q:
        """Match a request id, a target or an actor, or the events of a certificate."""
        return _condition(term)

    @admin.display(description=gettext_lazy("target"), ordering="target")
    def target_link(self, event: AuditEvent) -> str:
        """Show the target. For a certificate it is a link to the search that finds it."""
        kind, _, value = event.target.partition(":")
        if kind != "certificate":
            return visible(event.target)
        url = list_of(IssuedCertificate, q=value)
        return format_html('certificate:<a href="{}">{}</a>', url, shortened(value, 12))

    @admin.display(description=gettext_lazy("who"), ordering="actor")
    def who(self, event: AuditEvent) -> str:
        """Show the actor. A client's fingerprint is shortened."""
        kind, _, value = visible(event.actor).partition(":")
        return format_html("{}:{}", kind, shortened(value, 12)) if value else kind

    @admin.display(description=gettext_lazy("before"))
    def before_shown(self, event: AuditEvent) -> str:
        """Show what was on record before, as JSON."""
        return _json_block(event.before)

    @admin.display(description=gettext_lazy("after"))
    def after_shown(self, event: AuditEvent) -> str:
        """Show what is on record after it, as JSON."""
        return _json_block(event.after)

    @admin.display(description=gettext_lazy("place in the trail"))
    def place(self, event: AuditEvent) -> str:
        """Show chain and position."""
        return f"row {event.position} of chain {event.chain}"
