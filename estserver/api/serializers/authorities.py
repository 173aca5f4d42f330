"""CAs and certificate profiles."""

from typing import Any

from rest_framework import serializers

from estserver.api.serializers.inputs import Choice, Input, PageInput, Reasoned, Text
from estserver.api.serializers.outputs import Output
from pki.models import CertificateProfile
from pki.record.profile_lockouts import EVERY_SETTING
from pki.record.profile_versions import settings_of


class Authority(Output):
    """A CA on record. Its private key is never in the database."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    purpose = serializers.CharField(help_text="device or client")
    status = serializers.CharField(help_text="active, retiring, retired or revoked (distrusted)")
    subject = serializers.CharField()
    serial_number = serializers.CharField()
    sha256 = serializers.CharField(source="fingerprint_sha256")
    key_sha256 = serializers.CharField()
    key_algorithm = serializers.CharField()
    not_before = serializers.DateTimeField()
    not_after = serializers.DateTimeField()
    signer = serializers.CharField(help_text="Empty for a CA that is only trusted.")
    successor_of = serializers.SerializerMethodField(help_text="The CA before it, by name.")
    crl_number = serializers.IntegerField()

    def get_successor_of(self, row: Any) -> str | None:
        """Return the name of the CA that it succeeded."""
        return row.successor_of.name if row.successor_of else None


class AuthorityDetail(Authority):
    """A CA with its certificates."""

    pem = serializers.CharField(help_text="Its own certificate.")
    chain_pem = serializers.CharField(help_text="The certificates above it, root last.")
    cross_pem = serializers.CharField(help_text="Cross-certificates of a rollover.")


class ProfilePage(PageInput):
    """Which page."""


class Profile(Output):
    """A version of a certificate profile, with all of its settings."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    label = serializers.CharField(help_text="Empty for the default profile.")  # type: ignore[assignment]
    ca = serializers.CharField(source="ca.name")
    is_in_force = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    settings = serializers.SerializerMethodField(help_text="By name, as a change takes them.")

    def get_settings(self, row: CertificateProfile) -> dict[str, Any]:
        """Return the settings."""
        said = settings_of(row)
        return {name: value for name, value in said.items() if name not in ("name", "version")}


class ProfileChange(Reasoned):
    """Settings that change, and why."""

    settings = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        allow_empty=False,
        help_text="By name. What is not named stays.",
    )
    confirm = serializers.ListField(
        child=Choice(choices=sorted(EVERY_SETTING)),
        default=list,
        help_text="Settings to change although devices are refused then, which the refusal names.",
    )


class NewProfile(Input):
    """A profile of a new name."""

    name = Text(max_length=60)
    settings = serializers.DictField(
        child=serializers.JSONField(allow_null=True),
        help_text="By name; `ca` at least. What is not named has its default.",
    )
    dry_run = serializers.BooleanField(default=False)


class ProfileChanged(Output):
    """The version that is in force now, or would be."""

    dry_run = serializers.BooleanField()
    outcome = serializers.CharField()
    detail = serializers.CharField()
    changes = serializers.DictField(
        child=serializers.JSONField(allow_null=True), help_text="By setting: before and after."
    )
    profile = Profile()
