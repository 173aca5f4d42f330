"""How people sign in: failures, second factors, sessions, providers, requests to confirm.

Accounts are named by their keys, not by foreign keys, because the device side has the models of
this app and no accounts.
"""

from django.db import models
from django.utils import timezone

from pki.models.fields import IdentifierField


class SignInFailures(models.Model):
    """How often a sign-in failed lately: of one name from one sender, or of any name from it.

    `estserver.people.sign_in.limits` has the rules. ``key`` is a hash, because a person may type a
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


class ConsoleSession(models.Model):
    """A session of a person in the console, beside Django's own row, which has no person.

    ``account`` is the key of the account, and no foreign key, because the device side has this
    module and no accounts. `estserver.people.sessions.record` has the rules.
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
