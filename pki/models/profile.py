"""Certificate profiles: the rules for one kind of certificates, which an operator edits."""

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from pki.choices import IdentityRule, IoTProvisioning, POPLinking, SANExcess, SANRule
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.models.authority import CertificateAuthority
from pki.models.fields import IdentifierField
from pki.models.generation import Generation

LABEL_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?$"

EST_OPERATIONS = frozenset(
    {"cacerts", "simpleenroll", "simplereenroll", "csrattrs", "serverkeygen", "fullcmc"}
)

EVERY_CLIENT_CA = "*"
"""In ``client_cas``: every client CA on record, as in profiles from before that setting."""

DEFAULT_SUBJECT_ATTRIBUTES = (
    "countryName",
    "stateOrProvinceName",
    "localityName",
    "organizationName",
    "organizationalUnitName",
    "dnQualifier",
    "serialNumber",
)


def default_key_algorithms() -> list[str]:
    """Return every algorithm that AWS IoT takes."""
    return list(KEY_ALGORITHMS)


def default_subject_attributes() -> list[str]:
    """Return the attributes that a subject may have beside CN, by default."""
    return list(DEFAULT_SUBJECT_ATTRIBUTES)


class CertificateProfile(models.Model):
    """One version of a certificate profile. A row is never edited: a change is a new version.

    An intent names the version that it was checked against, so a change in the middle of an
    enrollment cannot mix two versions. ``active_label`` is the label while the version is in force
    and NULL afterwards. It is unique, so one version at most is in force.
    """

    id = IdentifierField()
    name = models.CharField(max_length=60)
    version = models.PositiveIntegerField(default=1)
    label = models.CharField(
        max_length=40,
        blank=True,
        default="",
        validators=[RegexValidator(LABEL_PATTERN, "Lower-case letters, digits, '.', '_' and '-'.")],
        help_text="Path segment /.well-known/est/<label>/ (RFC 7030 3.2.2); empty: the default.",
    )
    active_label = models.CharField(
        max_length=40, null=True, blank=True, unique=True, editable=False
    )
    ca = models.ForeignKey(CertificateAuthority, on_delete=models.PROTECT, related_name="profiles")
    validity_days = models.PositiveIntegerField(
        default=365, validators=[MinValueValidator(1), MaxValueValidator(36500)]
    )
    key_algorithms = models.JSONField(default=default_key_algorithms)
    subject_attributes = models.JSONField(
        default=default_subject_attributes, help_text="What the subject may hold beside CN."
    )
    is_serial_number_required = models.BooleanField(
        default=False, help_text="Refuse a subject without serialNumber (OID 2.5.4.5)."
    )
    san_rule = models.CharField(
        "SAN rule", max_length=10, choices=SANRule.pairs(), default=SANRule.OWN_NAME
    )
    san_excess = models.CharField(
        "SAN excess",
        max_length=10,
        choices=SANExcess.pairs(),
        default=SANExcess.DROP,
        help_text="What happens to requested names that the SAN rule does not allow.",
    )
    pop_linking = models.CharField(
        "POP linking", max_length=10, choices=POPLinking.pairs(), default=POPLinking.IGNORE
    )
    is_key_unique = models.BooleanField(
        default=True, help_text="Refuse a public key that another thing name has used."
    )
    identity_rule = models.CharField(
        max_length=12, choices=IdentityRule.pairs(), default=IdentityRule.FIRST_USE
    )
    identity_pattern = models.CharField(
        max_length=200,
        blank=True,
        default="",
        help_text="Rule 'pattern': regular expression with a group (?P<name>...).",
    )
    allowed_names = models.JSONField(
        default=list, blank=True, help_text="Rule 'allow-list': the thing names."
    )
    client_cas = models.JSONField(
        "client CAs",
        default=list,
        blank=True,
        help_text=(
            "Names of the client CAs whose clients may use the profile. '*' is every client CA, "
            "which only profiles from before this setting have."
        ),
    )
    accepted_profiles = models.JSONField(
        default=list,
        blank=True,
        help_text=(
            "Names of other profiles whose device certificates may renew here. Those of the "
            "profile itself always may."
        ),
    )
    can_client_reenroll = models.BooleanField(
        default=True,
        help_text="A client certificate may renew the thing names that are bound to it.",
    )
    can_rebind_names = models.BooleanField(
        default=False,
        help_text=(
            "A client that the rule lets have a name may take it over from the client that holds "
            "it. The name is bound to the new one then, and the audit trail says so."
        ),
    )
    can_adopt_names = models.BooleanField(
        default=False,
        help_text=(
            "A client may re-enroll a name that nobody enrolled here: for fleets that were "
            "enrolled elsewhere."
        ),
    )
    new_names_per_hour = models.PositiveIntegerField(
        null=True,
        blank=True,
        default=3600,
        validators=[MinValueValidator(1)],
        help_text="New thing names that one client may enroll within an hour; empty: any number.",
    )
    new_names_ever = models.PositiveIntegerField(
        null=True,
        blank=True,
        default=None,
        validators=[MinValueValidator(1)],
        help_text="New thing names that one client may ever enroll; empty: any number.",
    )
    can_reuse_key = models.BooleanField(
        default=True, help_text="Renewal may keep the key (renew); off: always a new one (rekey)."
    )
    reenroll_window_days = models.PositiveIntegerField(
        default=0, help_text="Renewal only this many days before expiry; 0: at any time."
    )
    overlap_days = models.PositiveIntegerField(
        default=7, help_text="How long a replaced certificate still authenticates its device."
    )
    iot_provisioning = models.CharField(
        "AWS IoT provisioning",
        max_length=10,
        choices=IoTProvisioning.pairs(),
        default=IoTProvisioning.NONE,
        help_text="How certificates of this profile become things in AWS IoT.",
    )
    iot_removal_days = models.PositiveIntegerField(
        "AWS IoT removal after",
        default=30,
        help_text=(
            "Days after a replaced certificate's overlap, during which it stays INACTIVE in AWS "
            "IoT before it is detached and deleted."
        ),
    )
    idempotency_seconds = models.PositiveIntegerField(
        default=600,
        help_text="The same CSR from the same client within this time gets the same certificate.",
    )
    csrattrs = models.JSONField(
        "CSR attributes",
        default=list,
        blank=True,
        help_text="What /csrattrs advises (RFC 7030 4.5.2); empty: 204.",
    )
    is_smime_type_sent = models.BooleanField(
        "smime-type on cacerts",
        default=True,
        help_text="Off for Bouncy Castle before 1.69, which refuses the parameter there.",
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name", "-version"]
        constraints = [
            models.UniqueConstraint(fields=["name", "version"], name="profile_name_version")
        ]

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row, and advance ``Generation``, so that every process reads it again."""
        super().save(*args, **kwargs)
        Generation.advance()

    @property
    def is_in_force(self) -> bool:
        """Whether new certificates follow this version."""
        return self.active_label is not None
