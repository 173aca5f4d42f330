"""What the tools are asked, and what they answer; notices and the overview's numbers."""

from typing import Any

from rest_framework import serializers

from estserver.api.serializers.inputs import Choice, Input, Reasoned, Text
from estserver.api.serializers.outputs import Output
from estserver.tools.doctor.registry import CHECKS
from pki.encoding.shapes import holds_private_key

MOST_TEXT = 100_000


class Pasted(serializers.CharField):
    """PEM or base64. A private key is refused unread, and not quoted (threat T64)."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MOST_TEXT, trim_whitespace=False, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Raises ``ValidationError`` for a private key."""
        text = super().to_internal_value(data)
        if holds_private_key(text.encode()):
            raise serializers.ValidationError("That has a private key. It was not read, nor kept.")
        return text


class DryRunInput(Input):
    """A request of a device that is asked about."""

    csr = Pasted(help_text="PKCS #10 in PEM or base64.")
    client = Pasted(
        required=False, default="", allow_blank=True, help_text="Its certificate, in PEM."
    )
    client_name = Text(
        required=False, default="", max_length=200, help_text="Or a certificate on record."
    )
    client_ca = Text(
        required=False, default="", max_length=100, help_text="The CA of a client by its name."
    )
    operation = Choice(choices=["simpleenroll", "simplereenroll"], default="simpleenroll")
    label = Text(required=False, default="", max_length=40)  # type: ignore[assignment]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require one client."""
        if bool(attrs["client"]) == bool(attrs["client_name"]):
            raise serializers.ValidationError("Give either 'client' or 'client_name'.")
        return attrs


class Step(Output):
    """What one rule says."""

    step = serializers.CharField()
    outcome = serializers.CharField()
    code = serializers.CharField()
    finding = serializers.CharField()
    advice = serializers.CharField()


class DryRunAnswer(Output):
    """What the server would answer."""

    granted = serializers.BooleanField()
    steps = Step(many=True)
    to_be_signed = serializers.CharField(allow_null=True, help_text="In hex.")
    earlier_certificate = serializers.CharField(allow_null=True)


class InspectInput(Input):
    """What is inspected."""

    content = Pasted(help_text="PEM or base64, or a line of API Gateway's access log.")
    label = Text(required=False, default="", max_length=40)  # type: ignore[assignment]


class Inspection(Output):
    """What it is, and what the rules and the record say of it."""

    what = serializers.CharField()
    facts = serializers.JSONField()
    findings = serializers.JSONField()
    on_record = serializers.JSONField()
    parts = serializers.JSONField()


class DoctorInput(Input):
    """Which checks run."""

    checks = serializers.ListField(
        child=Choice(choices=[check.name for check in CHECKS]), required=False, default=list
    )
    local = serializers.BooleanField(
        default=True, help_text="Ask neither signers nor AWS, which takes seconds."
    )


class Diagnosis(Output):
    """One line of the doctor."""

    check = serializers.CharField()
    name = serializers.CharField()
    level = serializers.CharField(help_text="OK, WARN or FAIL")
    finding = serializers.CharField()
    advice = serializers.CharField()
    docs = serializers.CharField()
    is_remote = serializers.BooleanField()


class Report(Output):
    """All lines of the doctor."""

    results = Diagnosis(many=True)


class Notice(Output):
    """One thing that is wrong, and what to do."""

    key = serializers.CharField()
    state = serializers.CharField(help_text="open or acknowledged")
    severity = serializers.IntegerField()
    is_urgent = serializers.BooleanField()
    what = serializers.CharField()
    todo = serializers.CharField()


class NoticeList(Output):
    """What is wrong now."""

    results = Notice(many=True)


class AcknowledgeInput(Reasoned):
    """Which notice is taken on, and why or by whom."""

    key = Text(max_length=200)


class Overview(Output):
    """The numbers of the console's overview."""

    certificates = serializers.IntegerField()
    issued_24_hours = serializers.IntegerField()
    issued_30_days = serializers.IntegerField()
    expiring = serializers.DictField(
        child=serializers.IntegerField(), help_text="Current ones, by days."
    )
    not_renewed = serializers.IntegerField()
    open_jobs = serializers.IntegerField()
    failed_jobs = serializers.IntegerField()
    hooks_to_repeat = serializers.IntegerField()
    refusals_24_hours = serializers.DictField(
        child=serializers.IntegerField(), help_text="By reason code."
    )
    refusals_30_days = serializers.DictField(
        child=serializers.IntegerField(), help_text="By reason code."
    )
    waiting_for_aws_iot = serializers.DictField(
        child=serializers.IntegerField(), help_text="By target."
    )
    open_notices = serializers.IntegerField()
