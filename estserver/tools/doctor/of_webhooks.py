"""Checks of webhooks: whether their secrets can be read, and what was given up."""

from collections.abc import Iterator

from estserver.models import Message, Webhook
from estserver.operations.report_rows import Row
from estserver.people.sealed import CannotUnseal
from estserver.webhooks.signing import unseal_secret
from estserver.webhooks.subscriptions import active_webhooks


def webhook_rows() -> Iterator[Row]:
    """Look whether each active webhook can be signed for, and whether messages were given up."""
    webhooks = list(active_webhooks())
    unreadable = [webhook.name for webhook in webhooks if not _can_be_signed_for(webhook)]
    if unreadable:
        yield Row(
            "webhooks",
            "FAIL",
            f"The secret of {', '.join(unreadable)} was sealed with another SECRET_KEY, so nothing "
            "can be sent there.",
            "Put the earlier key into EST_SECRET_KEY_FALLBACKS, or make a new secret: "
            "manage.py webhooks rotate NAME.",
        )
    else:
        yield Row("webhooks", "OK", f"{len(webhooks)} webhooks are active.")
    yield _given_up()


def _given_up() -> Row:
    name = "messages"
    parked = Message.objects.filter(state=Message.State.PARKED)
    newest = parked.order_by("-give_up_at", "-pk").first()
    if newest is None:
        return Row(name, "OK", "No message was given up.")
    count = parked.count()
    return Row(
        name,
        "WARN",
        f"{count} {'message was' if count == 1 else 'messages were'} not taken for a day, and "
        f"{'is' if count == 1 else 'are'} tried no more. The newest: {newest.last_error}",
        "Mend what the error says, and have them sent again: manage.py webhooks redeliver ID.",
    )


def _can_be_signed_for(webhook: Webhook) -> bool:
    try:
        unseal_secret(webhook.secret)
    except CannotUnseal:
        return False
    return True
