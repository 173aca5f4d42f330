"""A row of each kind that people and their programs add: for walks through all pages."""

import datetime
from collections.abc import Iterable

from django.contrib.auth.models import User
from django.utils import timezone

from estserver.models import (
    ApiToken,
    ConsoleSession,
    Message,
    OfficerRequest,
    SecondFactor,
    Webhook,
)
from pki.models import CertificateAuthority

_DAY = datetime.timedelta(days=1)


def add(person: User, texts: Iterable[str], ca: CertificateAuthority) -> None:
    """Add webhooks, messages, tokens, sessions and requests that have each text.

    Tokens are those of ``person``. The sessions are of another one, and the requests too, so that
    ``person`` may decide about them.
    """
    now = timezone.now()
    other = User.objects.create_user("people-rows", is_staff=True)
    SecondFactor.objects.create(account=other.pk, secret="sealed", last_step=0)
    for number, text in enumerate(texts):
        hook = Webhook.objects.create(
            name=text[:80], url=f"https://{number}.example.com/{text}", events=["ca.created"],
            secret="sealed", created_by=text,
        )  # fmt: skip
        Message.objects.create(
            channel="webhook", webhook=hook, once=f"{number}", event="ca.created", subject=text,
            body="{}", state="parked", attempts=9, last_error=text, give_up_at=now,
        )  # fmt: skip
        ApiToken.objects.create(
            account_id=person.pk, name=text[:60], sha256=f"{number:064x}", beginning="est_",
            roles=["Viewer", text], expires_at=now + _DAY,
        )  # fmt: skip
        ConsoleSession.objects.create(
            account=other.pk, session_key=f"{number}", address=text[:64], browser=text[:60]
        )
        OfficerRequest.objects.create(
            operation="pki_certificateauthority_distrust", row=str(ca.pk), subject=text,
            parameters={"reason": [text], "name": [text]}, asked_by=other.pk, asked_by_name=text,
            ends_at=now + _DAY, result=text,
        )  # fmt: skip
