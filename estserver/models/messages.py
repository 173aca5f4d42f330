"""What others are told: webhooks, the messages to them, and the notices that were told."""

from django.db import models
from django.utils import timezone

from pki.models.fields import IdentifierField


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
