"""The provisioning template and the IoT policy, and the targets that they go to."""

from typing import Any

from rest_framework import serializers

from estserver.api.serializers.inputs import Input, Reasoned, Text
from estserver.api.serializers.outputs import Output, Said

MOST_TEXT = 100_000


class Body(serializers.CharField):
    """The text of a document, kept as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MOST_TEXT, trim_whitespace=False, **kwargs)


class Document(Output):
    """A version of the provisioning template or of the IoT policy."""

    kind = serializers.CharField()
    name = serializers.CharField(help_text="In AWS IoT.")
    number = serializers.IntegerField(help_text="0: the configured file, which has no version.")
    body = serializers.CharField()
    reason = serializers.CharField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField(allow_null=True)


class Found(Output):
    """One problem of a document."""

    line = serializers.IntegerField()
    column = serializers.IntegerField()
    severity = serializers.CharField(help_text="error or warning")
    message = serializers.CharField()


class Problems(Output):
    """All problems of a document. Errors keep it from being saved and pushed."""

    is_usable = serializers.BooleanField()
    problems = Found(many=True)


class NewText(Reasoned):
    """A new version, and why."""

    body = Body()


class TextOnly(Input):
    """A text that is only looked at."""

    body = Body()


class RollBackInput(Reasoned):
    """Which version comes back, and why."""

    number = serializers.IntegerField(min_value=1)


class DocumentSaved(Said):
    """The version that is in force now, or would be, and how it differs from the one before."""

    number = serializers.IntegerField()
    diff = serializers.CharField()
    problems = Found(many=True)


class PushInput(Input):
    """Which target, and whether it is only asked what would change."""

    target = Text(required=False, default="", max_length=60, help_text="Empty: all of them.")
    confirm = Text(
        required=False,
        default="",
        max_length=128,
        help_text="The name of a policy that allows every action of AWS IoT.",
    )
    dry_run = serializers.BooleanField(default=False)


class PushOutcome(Output):
    """What a push did at one target."""

    target = serializers.CharField()
    is_changed = serializers.BooleanField()
    is_failed = serializers.BooleanField()
    detail = serializers.CharField()
    aws_version = serializers.CharField()
    notes = serializers.ListField(child=serializers.CharField())
    diff = serializers.CharField()


class Pushed(Output):
    """What a push did at each target. The failure of one stops no other."""

    dry_run = serializers.BooleanField()
    outcomes = PushOutcome(many=True)


class PreviewInput(Input):
    """Of which certificate or CSR."""

    certificate = Text(
        required=False, default="", max_length=200, help_text="Serial number or SHA-256."
    )
    pem = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=20_000, help_text="Or its PEM."
    )
    target = Text(required=False, default="", max_length=60, help_text="Fills the placeholders.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require one of the two."""
        if bool(attrs["certificate"]) == bool(attrs["pem"]):
            raise serializers.ValidationError("Give either 'certificate' or 'pem'.")
        return attrs


class Preview(Output):
    """The thing that would be made, and the policy as it works for it."""

    subject = serializers.CharField()
    certificate_id = serializers.CharField()
    thing = serializers.JSONField()
    policy = serializers.JSONField()
    unresolved = serializers.ListField(child=serializers.CharField())


class Target(Output):
    """An account and region of AWS IoT, by the record. AWS is not asked."""

    name = serializers.CharField()
    region = serializers.CharField()
    role_arn = serializers.CharField()
    documents = serializers.DictField(child=serializers.JSONField(), help_text="By kind.")
    pending = serializers.IntegerField()
    failing = serializers.IntegerField()
    parked = serializers.IntegerField()
    error = serializers.CharField(help_text="Of a row of the outbox that failed, if any.")


class Targets(Output):
    """All targets."""

    results = Target(many=True)


class DriftInput(Input):
    """What is compared, and whether differences are mended."""

    target = Text(required=False, default="", max_length=60, help_text="Empty: all of them.")
    deep = serializers.BooleanField(default=False)
    repair = serializers.BooleanField(default=False)
    reason = Text(required=False, default="", help_text="Required with 'repair'.")
    dry_run = serializers.BooleanField(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require a reason for a repair."""
        if attrs["repair"] and not attrs["reason"]:
            raise serializers.ValidationError({"reason": "A repair needs a reason."})
        return attrs
