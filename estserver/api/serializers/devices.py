"""Devices, each with everything on record of it."""

from typing import Any

from rest_framework import serializers

from estserver.api.serializers.denylist import Entry
from estserver.api.serializers.inputs import Choice, Input, Reasoned, Text
from estserver.api.serializers.outputs import Output
from pki.devices.listing import ListedDevice
from pki.devices.record import DeviceRecord
from pki.devices.states import DeviceState

MOST_DEVICES = 200


class DevicePage(Input):
    """Filters, and which page."""

    state = Choice(choices=[state.slug for state in DeviceState], required=False)
    beginning = Text(required=False, default="", max_length=64, help_text="Of the names.")
    limit = serializers.IntegerField(default=100, min_value=1, max_value=MOST_DEVICES)
    cursor = serializers.CharField(
        default="", allow_blank=True, max_length=64, help_text="`next_cursor` of the page before."
    )


class ListedDeviceOutput(Output):
    """One device of a list."""

    name = serializers.CharField(source="common_name")
    state = serializers.CharField(source="state.slug")
    serial_number = serializers.SerializerMethodField()
    not_after = serializers.SerializerMethodField()

    def get_serial_number(self, row: ListedDevice) -> str | None:
        """Return the serial number of the current certificate."""
        return row.current.serial_number if row.current else None

    def get_not_after(self, row: ListedDevice) -> str | None:
        """Return when the current certificate ends."""
        return row.current.not_after.isoformat() if row.current else None


class DeviceCertificate(Output):
    """A certificate of a device."""

    id = serializers.UUIDField()
    serial_number = serializers.CharField()
    state = serializers.CharField()
    sha256 = serializers.CharField(source="fingerprint_sha256", allow_null=True)
    not_after = serializers.DateTimeField()


class Holder(Output):
    """The client that holds a name."""

    sha256 = serializers.CharField(source="fingerprint")
    subject = serializers.CharField()
    is_reserved = serializers.BooleanField()
    new_names_within_hour = serializers.IntegerField(source="names_within_hour")
    new_names_ever = serializers.IntegerField(source="names_ever")


class Device(Output):
    """Everything on record of a thing name."""

    name = serializers.CharField(source="common_name")
    state = serializers.CharField(source="state.slug")
    meaning = serializers.CharField(source="state.meaning")
    renewal_due_at = serializers.DateTimeField(allow_null=True)
    device_serials = serializers.ListField(child=serializers.CharField())
    certificates = DeviceCertificate(many=True, help_text="The newest 50, newest first.")
    current_id = serializers.SerializerMethodField(help_text="The current certificate's id.")
    holder = Holder(allow_null=True)
    denied_by = Entry(many=True, help_text="Empty for a token that may not see the denylist.")
    last_request = serializers.SerializerMethodField(
        help_text="null for a token that may not see the audit trail."
    )
    aws_iot = serializers.SerializerMethodField(
        help_text="By target; empty for a token that may not see what goes to AWS IoT."
    )

    def get_current_id(self, row: DeviceRecord) -> str | None:
        """Return the id of the current certificate."""
        return str(row.current.pk) if row.current else None

    def get_last_request(self, row: DeviceRecord) -> dict[str, Any] | None:
        """Return the last request, and what to do about a refusal."""
        last = row.last_request
        if last is None or not self.context["sees_trail"]:
            return None
        return {
            "at": last.at.isoformat(),
            "is_refused": last.is_refused,
            "said": last.sentence,
            "reason": last.reason.code if last.reason else "",
            "what_to_do": last.reason.advice if last.reason else "",
            "request_id": last.event.request_id,
        }

    def get_aws_iot(self, row: DeviceRecord) -> list[dict[str, Any]]:
        """Return what was provisioned at each target."""
        return [
            {
                "target": one.target,
                "state": one.state,
                "thing": one.thing_name,
                "status": one.aws_status,
                "error": one.error,
            }
            for one in self.context["aws_rows"]
        ]


class ReleaseInput(Reasoned):
    """Why the name of a device is released, and who may have it."""

    to = serializers.CharField(
        required=False,
        default="",
        allow_blank=True,
        max_length=20_000,
        help_text="The client that it is reserved for: SHA-256 or PEM. Empty: any client.",
    )
    revoke = serializers.BooleanField(
        default=False, help_text="Revoke the live certificates of the name first."
    )
