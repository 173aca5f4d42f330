"""The page of post hooks that have not succeeded yet."""

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy, gettext_noop

from estserver.console.delivery.pending_hook_operations import RunHook
from estserver.models import PendingHook
from pki.admin import FactAdmin
from pki.admin.display import link, minute, moment, words
from pki.models import IssuedCertificate


@admin.register(PendingHook)
class PendingHookAdmin(FactAdmin):
    """Post hooks that wait for another attempt."""

    list_display = (
        words("certificate"),
        "attempts",
        words("last_error", "last error"),
        minute("next_attempt_at", "next attempt"),
        minute("created_at", "since"),
    )
    empty_words = gettext_noop(
        "No hook is waiting: every post_ hook has succeeded, or none is installed."
    )
    operations = (RunHook,)
    groups = (
        (
            None,
            (
                "certificate_link",
                words("label"),
                "attempts",
                words("last_error", "last error"),
                moment("next_attempt_at", "next attempt"),
                moment("created_at", "since"),
            ),
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Read the certificates of the page in a statement of their own, without their DER.

        With a join, SQLite begins at the larger table when a page is short.
        """
        certificates = IssuedCertificate.objects.defer("der", "csr_der")
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.prefetch_related(Prefetch("certificate", certificates))

    def audit_term(self, row: PendingHook) -> str:
        """Return the serial number of the hook's certificate."""
        return row.certificate.serial_number

    @admin.display(description=gettext_lazy("certificate"))
    def certificate_link(self, row: Any) -> str:
        """Link to the certificate that was issued."""
        return link(row.certificate)
