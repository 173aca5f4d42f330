"""Hooks and messages that are still to be sent, truststore pushes, refusals, notices, sign-ins."""

from django.db import models
from django.utils import timezone

from pki.models import IssuedCertificate
from pki.models.fields import IdentifierField


class PendingHook(models.Model):
    """A ``post_`` hook that hasn't succeeded yet.

    The row is written in the transaction that records the certificate, so that no crash can lose
    the call, and deleted when the hook has returned.
    """

    id = IdentifierField()
    certificate = models.OneToOneField(
        IssuedCertificate, on_delete=models.PROTECT, related_name="pending_hook"
    )
    label = models.CharField(max_length=40, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    next_attempt_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["next_attempt_at"]

    def __str__(self) -> str:
        return f"post_{self.certificate.operation} for {self.certificate}"


class TruststorePush(models.Model):
    """A truststore that was put where API Gateway reads it. A row is never edited but for
    ``activated_at``.

    The object's version in S3 can't be changed afterwards, so version and SHA-256 together tell
    whether what API Gateway trusts is what somebody here decided.
    """

    id = IdentifierField()
    domain = models.CharField(max_length=253, help_text="The domain with mutual TLS.")
    uri = models.CharField("URI", max_length=300)
    version_id = models.CharField("version in S3", max_length=1024)
    sha256 = models.CharField("SHA-256", max_length=64)
    certificate_count = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    pushed_by = models.CharField(max_length=200)
    pushed_at = models.DateTimeField(default=timezone.now, editable=False)
    activated_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]  # by time: see IdentifierField
        verbose_name_plural = "truststore pushes"
        constraints = [
            models.UniqueConstraint(fields=["uri", "version_id"], name="truststore_version")
        ]

    def __str__(self) -> str:
        return f"{self.uri} {self.version_id}"


class RefusalCount(models.Model):
    """How many refusals of one reason a chain of the audit trail has within an hour.

    The trail has no index by reason, which would cost each enrollment a page to write. A thread
    writes a chain of its own, so that no two writers count in the same row.
    """

    id = IdentifierField()
    hour = models.DateTimeField()
    code = models.CharField(max_length=60)
    chain = models.UUIDField()
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["hour", "code", "chain"], name="refusal_count")
        ]

    def __str__(self) -> str:
        return f"{self.count} x {self.code} from {self.hour}"


class Acknowledgement(models.Model):
    """A notice of the overview that somebody has taken on. The notice follows from the state.

    ``key`` names what is wrong, and ``severity`` how much it was then. A notice that has become
    worse is open again.
    """

    id = IdentifierField()
    key = models.CharField(max_length=200, unique=True)
    severity = models.PositiveIntegerField()
    actor = models.CharField(max_length=200)
    reason = models.CharField(max_length=500)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        permissions = [("view_settings", "Can view the settings in force")]

    def __str__(self) -> str:
        return self.key


class SignInFailures(models.Model):
    """How often a sign-in failed lately: of one name from one sender, or of any name from it.

    `estserver.people.sign_in_limits` has the rules. ``key`` is a hash, because a person may type a
    password where the name belongs.
    """

    id = IdentifierField()
    key = models.CharField(max_length=64, unique=True)
    count = models.PositiveIntegerField()
    last_at = models.DateTimeField(db_index=True)
    blocked_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "sign-in failures"

    def __str__(self) -> str:
        return f"{self.count} failures until {self.last_at}"


class Webhook(models.Model):
    """An address of somebody else's that is told of events. It is never edited but by operations.

    ``secret`` is sealed (`estserver.people.sealed`). After a rotation ``earlier_secret`` signs too,
    until ``earlier_until``. Events are read from the record up to ``read_until``, and what expires
    up to ``expiries_until`` (`estserver.webhooks.reading`).
    """

    id = IdentifierField()
    name = models.CharField(max_length=80)
    url = models.CharField("URL", max_length=500)
    events = models.JSONField(default=list)
    secret = models.CharField(max_length=300)
    earlier_secret = models.CharField(max_length=300, blank=True, default="")
    earlier_until = models.DateTimeField(null=True)
    created_by = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)
    read_until = models.DateTimeField(default=timezone.now, editable=False)
    expiries_until = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["-id"]  # by time: see IdentifierField

    def __str__(self) -> str:
        return self.name


class Message(models.Model):
    """A message to a webhook, by e-mail or to a topic of SNS, which is sent until it is taken.

    ``once`` says what it tells to whom, so that nothing is told twice however often the record is
    read. `estserver.webhooks.messages` has the rules.
    """

    class Channel(models.TextChoices):
        """The way that it takes."""

        WEBHOOK = "webhook", "Webhook"
        EMAIL = "email", "E-mail"
        SNS = "sns", "SNS"

    class State(models.TextChoices):
        """How far it is."""

        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        PARKED = "parked", "Given up"

    id = IdentifierField()
    channel = models.CharField(max_length=10, choices=Channel.choices)
    webhook = models.ForeignKey(
        Webhook, null=True, on_delete=models.PROTECT, related_name="messages"
    )
    once = models.CharField(max_length=300, unique=True)
    event = models.CharField(max_length=40)
    subject = models.CharField(max_length=200, blank=True, default="")
    body = models.TextField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    give_up_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]  # by time: see IdentifierField
        indexes = [
            models.Index(fields=["state", "next_attempt_at"], name="message_due"),
            models.Index(fields=["state", "id"], name="message_state"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.pk.hex}"


class ToldNotice(models.Model):
    """A notice of the overview that people were told of, and are told of again when it is solved.

    `estserver.console.overview.telling` has the rules.
    """

    id = IdentifierField()
    key = models.CharField(max_length=200, unique=True)
    what = models.CharField(max_length=500)
    is_open = models.BooleanField(default=True)
    told_at = models.DateTimeField(default=timezone.now)
    gone_since = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.key


class SecondFactor(models.Model):
    """The second factor of a person: the secret of one-time codes (RFC 6238), sealed.

    A row is written when the first code was right. ``account`` is the key of the account, and no
    foreign key, because the device side has this module and no accounts. For the same reason it is
    no ``Device`` of django-otp.
    """

    id = IdentifierField()
    account = models.BigIntegerField(unique=True)
    secret = models.CharField(max_length=400)
    last_step = models.BigIntegerField(help_text="The time step of the newest code that was taken.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"second factor of account {self.account}"


class RecoveryCode(models.Model):
    """A code that replaces the second factor once, hashed. Codes are random, so SHA-256 does."""

    id = IdentifierField()
    account = models.BigIntegerField(db_index=True)
    digest = models.CharField(max_length=64, unique=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"recovery code of account {self.account}"


class PasswordToChange(models.Model):
    """An account whose password another person or a command chose, so its owner changes it first.

    ``account`` is as in ``SecondFactor``.
    """

    id = IdentifierField()
    account = models.BigIntegerField(unique=True)
    since = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"password of account {self.account}"


class ApiToken(models.Model):
    """A token of the management API, made by a person for programs of theirs.

    The token itself is kept nowhere. ``account_id`` is no foreign key, because the device side has
    the models of this app and no accounts. `estserver.people.api_tokens` has the rules.
    """

    id = IdentifierField()
    account_id = models.BigIntegerField(db_index=True)
    name = models.CharField(max_length=60)
    sha256 = models.CharField("SHA-256", max_length=64, unique=True)
    beginning = models.CharField(max_length=20)
    roles = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    last_used_from = models.GenericIPAddressField(null=True)

    class Meta:
        ordering = ["-id"]  # by time: see IdentifierField
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.name


class IdempotencyKey(models.Model):
    """A request of the management API that its sender may repeat, and the answer that it got.

    ``status`` is null until the answer is known. A row stays like this when the process died in
    between, and the request is not carried out again (`estserver.api.idempotency`).
    """

    id = IdentifierField()
    key = models.CharField(max_length=64, unique=True)
    request_sha256 = models.CharField("SHA-256 of the request", max_length=64)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.PositiveIntegerField(null=True)
    answer = models.JSONField(null=True)
    media_type = models.CharField(max_length=60, default="")

    def __str__(self) -> str:
        return self.key


class ConsoleSession(models.Model):
    """A session of a person in the console, beside Django's own row, which has no person.

    ``account`` is the key of the account, and no foreign key, because the device side has this
    module and no accounts. `estserver.people.sessions` has the rules.
    """

    id = IdentifierField()
    account = models.BigIntegerField(db_index=True)
    session_key = models.CharField(max_length=40, unique=True)
    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now, db_index=True)
    address = models.CharField(max_length=64, blank=True, default="")
    browser = models.CharField(max_length=60, blank=True, default="")

    class Meta:
        ordering = ["-id"]  # by time: see IdentifierField
        default_permissions = ()

    def __str__(self) -> str:
        return f"session {self.id} of account {self.account}"


class OfficerRequest(models.Model):
    """What one person asked for and another one has to confirm. The row is never edited afterwards
    but for its decision.

    ``parameters`` is the form as it was sent, so that what is confirmed is what was asked.
    `estserver.people.two_persons` has the rules.
    """

    class State(models.TextChoices):
        """How far it is."""

        OPEN = "open", "Open"
        CONFIRMED = "confirmed", "Confirmed"
        DONE = "done", "Confirmed and done"
        FAILED = "failed", "Confirmed, and refused by the server"
        REFUSED = "refused", "Refused"

    id = IdentifierField()
    operation = models.CharField(max_length=120)
    row = models.CharField(max_length=64)
    subject = models.CharField(max_length=300)
    parameters = models.JSONField()
    asked_by = models.BigIntegerField()
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(db_index=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.OPEN)
    decided_by_name = models.CharField(max_length=150, blank=True, default="")
    decided_at = models.DateTimeField(null=True)
    result = models.CharField(max_length=2000, blank=True, default="")

    class Meta:
        ordering = ["-id"]  # by time: see IdentifierField
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.operation} of {self.subject}, asked by {self.asked_by_name}"


class ProviderIdentity(models.Model):
    """A person at an OpenID provider, and the account that they have here.

    The provider's ``sub`` names them for good (OpenID Connect Core 5.7). An e-mail address does
    not, so accounts are not found by it.
    """

    id = IdentifierField()
    account = models.BigIntegerField(unique=True)
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="provider_identity")
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"
