"""The truststore of API Gateway: what it is to have, what it has, and its pushes."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from estserver.api.serializers.inputs import Reasoned, Text
from estserver.api.serializers.outputs import Output


class TrustedCertificate(Output):
    """A CA of the truststore."""

    subject = serializers.CharField()
    sha256 = serializers.CharField()
    not_after = serializers.DateTimeField()


class Truststore(Output):
    """The CAs that API Gateway is to trust, and what the record says of it."""

    certificates = TrustedCertificate(many=True)
    sha256 = serializers.CharField(help_text="Of the bundle.")
    problem = serializers.CharField(help_text="Why there is no bundle, if there is none.")
    active_version = serializers.CharField(allow_null=True)
    changed_since = serializers.ListField(
        child=serializers.CharField(), help_text="CAs that came or went since it was pushed."
    )


class TruststorePush(Output):
    """A truststore that was put where API Gateway reads it."""

    id = serializers.UUIDField()
    domain = serializers.CharField()
    uri = serializers.CharField()
    version_id = serializers.CharField()
    sha256 = serializers.CharField()
    certificate_count = serializers.IntegerField()
    reason = serializers.CharField()
    pushed_by = serializers.CharField()
    pushed_at = serializers.DateTimeField()
    activated_at = serializers.DateTimeField(allow_null=True)


class Compared(Output):
    """What a push would change, by AWS. Each CA is a line of text."""

    active_version = serializers.CharField(help_text="That the domain trusts; empty for none.")
    added = serializers.ListField(child=serializers.CharField())
    removed = serializers.ListField(child=serializers.CharField())
    kept = serializers.ListField(child=serializers.CharField())
    turned_away = serializers.ListField(
        child=serializers.CharField(), help_text="Removed CAs that clients still need."
    )
    warnings = serializers.ListField(
        child=serializers.CharField(), help_text="API Gateway's, of the truststore that it has."
    )


class TruststoreInput(Reasoned):
    """What the domain is to trust, and the words that a person gives on the page."""

    version = Text(
        required=False, default="", max_length=1024, help_text="Go back to it. Empty: push."
    )
    is_removal_meant = serializers.BooleanField(
        default=False, help_text="Turn clients away whose CA is removed."
    )
    is_here = serializers.BooleanField(
        default=False,
        help_text="This server's database is that of the deployment. Needed outside of AWS.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Require the word about the database where it may be another one."""
        if not (attrs["is_here"] or settings.IS_LAMBDA):
            raise serializers.ValidationError(
                {
                    "is_here": "A machine that deploys may have CAs of its own, which must not get "
                    "into API Gateway. Say true if this server's database is the deployment's."
                }
            )
        return attrs
