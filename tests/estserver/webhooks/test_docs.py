"""docs/webhooks.md: its receiver verifies what is sent, and its table has every event."""

import re
from pathlib import Path

from estserver.webhooks.events import MEANINGS
from estserver.webhooks.signing import new_secret, signature_headers
from estserver.webhooks.subscriptions import test_webhook
from tests.estserver.webhooks.conftest import OFFICER

test_webhook.__test__ = False
DOCUMENT = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text(encoding="utf-8")


def printed(name):
    """Return the names that a block of the page defines."""
    (code,) = re.findall(rf"```python {name}\n(.*?)```", DOCUMENT, re.DOTALL)
    names = {}
    exec(compile(code, "docs/webhooks.md", "exec"), names)  # the page's own code
    return names


def test_the_receiver_that_is_printed_accepts_what_is_sent_and_nothing_else(
    db, subscribe, receiver
):
    webhook, secret = subscribe()
    test_webhook(webhook, actor=OFFICER)
    ((_, headers, body),) = receiver.got
    accepts = printed("verify")["is_from_the_server"]

    assert accepts(secret, headers, body)
    assert not accepts(new_secret(), headers, body)
    assert not accepts(secret, headers, body + b" ")
    assert not accepts(secret, {**headers, "webhook-id": "msg_other"}, body)
    assert not accepts(secret, signature_headers("msg_1", 1, body, [secret]), body)


def test_each_event_is_in_the_table():
    named = set(re.findall(r"`((?:certificate|ca)\.[a-z]+)`", DOCUMENT))

    assert named == {event.value for event in MEANINGS}
