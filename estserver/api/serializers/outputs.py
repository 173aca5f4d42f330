"""What a change answers: what was done, or what would be."""

from typing import Any

from rest_framework import serializers


class Output(serializers.Serializer[Any]):
    """Fields of an answer."""


class Said(Output):
    """A change that was made, or would be."""

    dry_run = serializers.BooleanField(help_text="Whether nothing was changed.")
    outcome = serializers.CharField(help_text="What was done, or would be, in a word.")
    detail = serializers.CharField(help_text="The same as a sentence.")


class Counted(Said):
    """A change of everything that a filter leaves, which a job makes."""

    count = serializers.IntegerField(help_text="How many rows the filter leaves now.")
    job = serializers.UUIDField(allow_null=True, help_text="The job; null in a dry run.")


class Problem(Output):
    """Why a request was not answered with success (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField(help_text="A reason code, which keeps its meaning.")
    request_id = serializers.CharField()
    errors = serializers.ListField(  # type: ignore[assignment]  # a field, not the property
        child=serializers.DictField(child=serializers.CharField()),
        required=False,
        help_text="For a wrong request: each wrong field, and what is right.",
    )


def said(outcome: str, detail: str, *, dry_run: bool = False, **more: Any) -> dict[str, Any]:
    """Return the body of a ``Said``."""
    return {"dry_run": dry_run, "outcome": outcome, "detail": detail, **more}
