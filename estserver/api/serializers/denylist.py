"""Entries of the denylist: what narrows their list, what adds, ends and imports them."""

import datetime
from typing import Any

from rest_framework import serializers

from estserver.api.serializers.inputs import Choice, Input, PageInput, Reasoned, Text
from estserver.api.serializers.outputs import Counted, Output
from pki.denylist.entries import MAX_REASON, check_reason
from pki.denylist.kinds import choices
from pki.denylist.values import expiry_after
from pki.models import DenylistEntry
from pki.operators.errors import OperatorError

KINDS = [value for value, _ in choices()]
MOST_CSV = 1_500_000
"""Characters. The whole body has to fit into what the admin reads."""


class DenylistPage(PageInput):
    """Filters, and which page."""

    q = Text(required=False, max_length=1000, help_text="The beginning of a value.")
    kind = Choice(choices=KINDS, required=False)
    in_force = serializers.BooleanField(required=False, allow_null=True, default=None)


class Entry(Output):
    """One entry of the denylist."""

    id = serializers.UUIDField()
    kind = serializers.CharField()
    value = serializers.CharField()
    reason = serializers.SerializerMethodField()
    in_force = serializers.BooleanField(source="is_in_force")
    ends_at = serializers.DateTimeField(allow_null=True, help_text="null: it has no end.")
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()

    def get_reason(self, row: DenylistEntry) -> str:
        """Return the reason that counts."""
        return row.terms[0]


class Why(serializers.CharField):
    """The reason of an entry, which a device never reads."""

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Raises ``ValidationError`` for one that cannot be kept."""
        text = super().to_internal_value(data)
        try:
            check_reason(text)
        except OperatorError as error:
            raise serializers.ValidationError(str(error)) from error
        return text


class DenyInput(Input):
    """What is denied, why, and until when."""

    kind = Choice(choices=KINDS)
    value = Text(
        max_length=20_000, help_text="The name or number; of a certificate's entry, also its PEM."
    )
    reason = Why(max_length=MAX_REASON)
    expires = serializers.DateField(
        required=False, allow_null=True, default=None, help_text="The last day (UTC)."
    )
    replace = serializers.BooleanField(
        default=False, help_text="Give an entry that is there this reason and end."
    )
    revoke = serializers.BooleanField(
        default=False, help_text="Revoke the live certificates that it names."
    )
    dry_run = serializers.BooleanField(default=False)

    def validate_expires(self, day: datetime.date | None) -> datetime.datetime | None:
        """Return the end of the day. Raises ``ValidationError`` for one that is over."""
        try:
            return expiry_after(day.isoformat()) if day else None
        except OperatorError as error:
            raise serializers.ValidationError(str(error)) from error


class Denied(Output):
    """What became of an entry."""

    dry_run = serializers.BooleanField()
    outcome = serializers.CharField(help_text="new, same or changed")
    detail = serializers.CharField()
    entry = Entry(allow_null=True, help_text="null in a dry run of a new one")
    live_certificates = serializers.IntegerField(help_text="Those that it concerns, at most 10001.")
    revoked = serializers.IntegerField()


class EndInput(Reasoned):
    """Why an entry ends."""


class ImportInput(Input):
    """A denylist as CSV, all of which comes in force at once."""

    csv = serializers.CharField(
        max_length=MOST_CSV, trim_whitespace=False, help_text="kind,value,reason,expires"
    )
    reason = Text(required=False, default="", help_text="For lines that give none.")
    replace = serializers.BooleanField(default=False)
    dry_run = serializers.BooleanField(default=False)


class ImportLine(Output):
    """What a line of the file does."""

    line = serializers.IntegerField()
    kind = serializers.CharField()
    value = serializers.CharField()
    outcome = serializers.CharField(help_text="new, same, kept or changed")


class Imported(Counted):
    """The job that imports the file, or what its lines would do."""

    outcomes = serializers.DictField(child=serializers.IntegerField())
    lines = ImportLine(many=True, help_text="In a dry run, the first 500 lines.")


class TestInput(Input):
    """What is asked about."""

    __test__ = False  # it is no test of pytest's
    asked = Text(max_length=20_000, help_text="A name, number, digest, or a certificate or CSR.")


class Denial(Output):
    """An entry that refuses what was asked about."""

    kind = serializers.CharField()
    value = serializers.CharField()
    reason = serializers.CharField()
    expires_at = serializers.CharField(allow_null=True)
    refused = serializers.CharField(help_text="What the device is told.")
    live_certificates = serializers.IntegerField()


class Verdict(Output):
    """Whether the denylist refuses what was asked about."""

    is_refused = serializers.BooleanField()
    asked = serializers.ListField(child=serializers.CharField())
    denials = Denial(many=True)
