"""The page of the truststore: the CAs that belong into it, and the versions that were pushed."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy, gettext_noop

from estserver.console.authorities.truststore_operations import (
    CompareWithGateway,
    Push,
    RollBack,
    has_truststore,
)
from estserver.console.overview.work import read_truststore
from estserver.models import TruststorePush
from pki.admin import FactAdmin
from pki.admin.bounded_count import newest
from pki.admin.certificate_states import live_among
from pki.admin.display import chip, code, link, minute, moment, table, utc, words
from pki.admin.filters import OF_THE_NEWEST
from pki.models import CertificateAuthority, IssuedCertificate

MOST_SHOWN = 100
"""CAs of the table. An installation has a handful."""


@admin.register(TruststorePush)
class TruststorePushAdmin(FactAdmin):
    """The versions of the truststore, newest first, below the CAs that belong into it."""

    list_display = (
        "state_chip",
        words("version_id", "version"),
        "certificate_count",
        words("reason"),
        words("pushed_by", "who"),
        minute("pushed_at", "pushed"),
    )
    list_display_links = (list_display[1],)
    operations = (CompareWithGateway, Push, RollBack)
    empty_words = gettext_noop(
        "No truststore was pushed yet. With apiCustomDomainName, `manage.py aws_deploy` pushes the "
        "first one. Without it there is no API Gateway, and the local server trusts the CAs above."
    )
    groups = (
        (
            None,
            (
                "state_chip",
                words("domain"),
                words("uri", "object"),
                words("version_id", "version in S3"),
                code("sha256", "SHA-256"),
                "certificate_count",
                words("reason"),
                words("pushed_by", "who"),
                moment("pushed_at", "pushed"),
                moment("activated_at", "activated"),
            ),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Add which version was activated last."""
        activated = TruststorePush.objects.filter(uri=OuterRef("uri"), activated_at__isnull=False)
        last = activated.order_by("-activated_at").values("pk")[:1]
        rows: QuerySet[Any] = super().get_queryset(request).annotate(last_active=Subquery(last))
        return rows

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Return the row, with whether the domain trusts it by the record."""
        row = super().get_object(request, *args, **kwargs)
        if row is not None:
            row.is_active = _is_active(row)
        return row

    def audit_term(self, row: TruststorePush) -> str:
        """Return the target of the events of its domain."""
        return f"truststore:{row.domain}"

    def summary(self, request: HttpRequest) -> SafeString | str:
        """Show the CAs that belong into the truststore, and how many certificates need each."""
        trusted = list(CertificateAuthority.objects.trusted().order_by("purpose", "name"))
        live = _live_by_ca() if trusted else {}
        rows = [
            (
                link(ca),
                ca.get_purpose_display(),
                utc(ca.not_after, "%Y-%m-%d"),
                f"{live.get(ca.pk, 0)}"
                + ("" if ca.is_every_certificate_recorded else ", and those signed elsewhere"),
            )
            for ca in trusted[:MOST_SHOWN]
        ]
        titles = ("CA", "purpose", "valid until", f"live certificates{OF_THE_NEWEST}")
        shown = table(titles, rows) if rows else format_html("<p>{}</p>", "No CA is trusted.")
        return format_html(
            '<h2>{}</h2><div class="scroll">{}</div><p>{}</p>{}<h2>{}</h2>',
            "The CAs that belong into it",
            shown,
            "A CA comes in when it is made, imported or succeeded (manage.py bootstrap_cas), and "
            "goes when it is distrusted or retired, on its page.",
            _difference(),
            "Versions",
        )

    @admin.display(description=gettext_lazy("state"))
    def state_chip(self, row: Any) -> SafeString:
        """Show whether the domain trusts it, by the record."""
        if _is_active(row):
            return chip("Active", "good")
        return chip("Earlier", "past") if row.activated_at else chip("Not activated", "open")


def _is_active(row: Any) -> bool:
    return bool(row.last_active == row.pk)


def _live_by_ca() -> dict[Any, int]:
    """Return how many of the newest certificates of each CA are live, in one statement."""
    rows = live_among(newest(IssuedCertificate.objects.all())).order_by()
    return dict(rows.values_list("ca").annotate(Count("pk")))


def _difference() -> SafeString | str:
    """Say whether the CAs on record changed after the active version was pushed."""
    if not has_truststore():
        return format_html(
            "<p>{}</p>",
            "This installation has no API Gateway (apiCustomDomainName is not set). The local "
            "server trusts these CAs within five seconds of a change.",
        )
    known = read_truststore()
    if known is None or known.active is None:
        return format_html("<p>{}</p>", chip("Nothing is activated", "bad"))
    if not known.changed:
        return format_html("<p>{}</p>", chip("What was pushed is what is on record", "good"))
    return format_html(
        "<p>{} {}</p>", chip("Changed since the last push", "soon"), ", ".join(known.changed)
    )
