"""Certificates, their filters, and their revocation."""

from typing import Any

from rest_framework import serializers

from estserver.api.serializers.inputs import Choice, Input, PageInput, Reasoned, Text
from estserver.api.serializers.outputs import Output
from pki.admin.certificate_filters import MadeFilter, StatusFilter
from pki.admin.certificate_states import status_of
from pki.models import IssuedCertificate
from pki.revocation.revoke import REASONS

_WORDS = 200


class CertificateFilters(Input):
    """What narrows a list of certificates, as on the console's page."""

    q = Text(
        required=False,
        max_length=1000,
        help_text="A serial number or its beginning, a SHA-256, an ARN, the beginning of a name, a "
        "device serial number or a request id, as in the console's list.",
    )
    status = Choice(choices=list(StatusFilter.choices_offered), required=False)
    operation = Choice(choices=IssuedCertificate.Operation.values, required=False)
    ca = Text(required=False, max_length=_WORDS, help_text="The name of the CA that signed.")
    profile = Text(required=False, max_length=_WORDS, help_text="Its name, in any version.")
    label = Text(required=False, max_length=_WORDS)  # type: ignore[assignment]
    made = Choice(choices=list(MadeFilter.choices_offered), required=False)
    ends_from = serializers.DateField(required=False, help_text="Ends on this day (UTC) or later.")
    ends_to = serializers.DateField(required=False, help_text="Ends on this day (UTC) or before.")
    client = Text(required=False, max_length=_WORDS, help_text="SHA-256 of the client's.")
    address = Text(
        required=False, max_length=_WORDS, help_text="Source IP, looked for among the newest."
    )


class CertificatePage(CertificateFilters, PageInput):
    """Filters, and which page."""


class Certificate(Output):
    """A certificate that was signed, or an intent to sign one."""

    id = serializers.UUIDField()
    serial_number = serializers.CharField()
    common_name = serializers.CharField()
    status = serializers.SerializerMethodField(help_text="The state now, in the console's word.")
    state = serializers.CharField()
    operation = serializers.CharField()
    ca = serializers.CharField(source="ca.name")
    profile = serializers.SerializerMethodField()
    profile_version = serializers.SerializerMethodField()
    subject = serializers.CharField()
    san = serializers.CharField()
    device_serial = serializers.CharField()
    key_algorithm = serializers.CharField()
    key_sha256 = serializers.CharField()
    sha256 = serializers.CharField(source="fingerprint_sha256", allow_null=True)
    not_before = serializers.DateTimeField()
    not_after = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    issued_at = serializers.DateTimeField(allow_null=True)
    superseded_at = serializers.DateTimeField(allow_null=True)
    revoked_at = serializers.DateTimeField(allow_null=True)
    revocation_reason = serializers.CharField()
    client_sha256 = serializers.CharField(source="client_fingerprint")
    client_subject = serializers.CharField()
    source_ip = serializers.CharField(allow_null=True)
    request_id = serializers.CharField()
    predecessor = serializers.UUIDField(source="predecessor_id", allow_null=True)

    def get_status(self, row: IssuedCertificate) -> str:
        """Return the state now in a word, as its chip shows it."""
        return status_of(row)[0].lower()

    def get_profile(self, row: IssuedCertificate) -> str | None:
        """Return the name of the profile; None for a client's own certificate."""
        return row.profile.name if row.profile else None

    def get_profile_version(self, row: IssuedCertificate) -> int | None:
        """Return the version under which it was issued."""
        return row.profile.version if row.profile else None


class RevokeInput(Input):
    """Why a certificate is revoked."""

    reason = Choice(choices=list(REASONS), help_text="RFC 5280 5.3.1. It cannot be changed later.")
    comment = Text(required=False, default="", help_text="Kept on the audit trail.")
    dry_run = serializers.BooleanField(default=False)


class RevokeMatching(RevokeInput):
    """Why everything that a filter leaves is revoked."""

    filter = CertificateFilters(help_text="At least one filter.")
    expected = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text="How many certificates this revokes, as dry_run has said. Required without it.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require a filter, and the number unless nothing is to be changed."""
        _check_filter(attrs["filter"])
        if not attrs["dry_run"] and "expected" not in attrs:
            raise serializers.ValidationError(
                {"expected": "Give the count that a dry run answers, so that no more is revoked."}
            )
        return attrs


def _check_filter(filters: dict[str, Any]) -> None:
    """Refuse a call that would act on the whole fleet."""
    if not any(filters.values()):
        raise serializers.ValidationError(
            {"filter": "There is no filter. One call does not act on a whole fleet."}
        )


class ReprovisionMatching(Reasoned):
    """Which certificates are given to the outbox once more, and why."""

    filter = CertificateFilters(help_text="At least one filter.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require a filter."""
        _check_filter(attrs["filter"])
        return attrs


class ExportMatching(Input):
    """Which certificates are written to a file, and in which form."""

    form = Choice(choices=["csv", "pem"])
    filter = CertificateFilters(required=False, default=dict)
