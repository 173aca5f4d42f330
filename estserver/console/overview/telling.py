"""Telling people of notices: one message when a notice opens, and one when it is solved.

Which were told is a row (``ToldNotice``), and the messages are rows of the same transaction, so
that no crash loses or repeats one. A notice that somebody acknowledged is told again when it is
open again. One that comes and goes is told as solved only after it has been gone for a while.
"""

import datetime
import time
from typing import Final

from django.conf import settings
from django.utils import timezone

from estserver.console.overview.notices import Notice, Notices, sort_notices
from estserver.console.overview.report import present_notices
from estserver.models import Message, ToldNotice
from estserver.webhooks.messages import RETRIED_FOR
from estserver.webhooks.notice_channels import channels
from pki.record import due_work
from pki.record.transactions import in_write_transaction

LOOKS_EVERY: Final = 5 * 60.0
"""Seconds between two looks of a process, because a look counts the fleet."""
GONE_FOR: Final = datetime.timedelta(minutes=10)
"""How long a notice has to be gone to be solved."""

_looked_at = float("-inf")


def tell_notices() -> None:
    """Add messages for what has changed since the last look, if the configuration wants any."""
    global _looked_at
    if not channels() or time.monotonic() < _looked_at + LOOKS_EVERY:
        return
    look()
    _looked_at = time.monotonic()


def look() -> int:
    """Compare the notices with those that were told. Return how many messages were added."""
    notices = sort_notices(present_notices())
    return in_write_transaction(lambda: _compare(notices))


def _compare(notices: Notices) -> int:
    now = timezone.now()
    told = {row.key: row for row in ToldNotice.objects.all()}
    added = 0
    # Step 1: what is open and was not told, or was acknowledged meanwhile.
    for notice in notices.open:
        row = told.pop(notice.key, None)
        if row is None or not row.is_open:
            row = row or ToldNotice(key=notice.key)
            row.what, row.is_open, row.told_at = notice.what[:500], True, now
            added += _add(row, "notice.opened", notice.what, _what_to_do(notice))
        _stays(row)
    # Step 2: what somebody works on.
    for notice in notices.acknowledged:
        row = told.pop(notice.key, None) or ToldNotice(key=notice.key, told_at=now)
        row.what, row.is_open = notice.what[:500], False
        _stays(row)
    # Step 3: what is gone.
    for row in told.values():
        if row.gone_since is None:
            row.gone_since = now
            row.save()
        elif row.gone_since <= now - GONE_FOR:
            said = "This notice of the EST server is solved. There is nothing to do."
            added += _add(row, "notice.solved", f"Solved: {row.what}", said)
            row.delete()
    if added:
        due_work.announce(now)
    return added


def _stays(row: ToldNotice) -> None:
    row.gone_since = None
    row.save()


def _add(row: ToldNotice, event: str, subject: str, text: str) -> int:
    now = timezone.now()
    project = settings.CONFIG.deployment.project_name
    wanted = channels()
    Message.objects.bulk_create(
        Message(
            channel=channel,
            once=f"{channel}:{event}:{row.key[:200]}:{row.told_at:%Y%m%d%H%M%S%f}",
            event=event,
            subject=_one_line(f"[{project}] {subject}")[:200],
            body=text,
            created_at=now,
            next_attempt_at=now,
            give_up_at=now + RETRIED_FOR,
        )
        for channel in wanted
    )
    return len(wanted)


def _what_to_do(notice: Notice) -> str:
    """Return the text: what is wrong, what to do, and where."""
    lines = [notice.what, notice.todo]
    if notice.is_urgent:
        lines.insert(0, "Urgent: devices are refused or stop working.")
    domain = settings.CONFIG.properties.admin_domain_name
    if domain and notice.url:
        lines.append(f"https://{domain}{notice.url}")
    lines.append(f"Notice {notice.key}. manage.py notices lists them all.")
    return "\n\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())
