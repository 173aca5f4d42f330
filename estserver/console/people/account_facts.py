"""What the page of an account says of its sign-in, and of what happened to it."""

from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from estserver.models import SecondFactor
from estserver.people.passwords import first_password
from estserver.people.second_factor import factors, policy
from estserver.people.sessions.record import sessions_of
from pki.admin.display import EMPTY, list_of, table, utc, visible
from pki.models import AuditEvent

MOST_SESSIONS = 20
NEWEST = 20
"""Rows of the audit trail that the page shows. A link leads to all."""


def sign_in_state(account: User) -> SafeString:
    """Return what has to be done at the next sign-in, and the second factor with its operation."""
    words = []
    if first_password.has_to_change(account):
        words.append(
            "The password was chosen by another person, and is changed at the next sign-in."
        )
    row = SecondFactor.objects.filter(account=account.pk).first()
    if row is None:
        missing = "There is no second factor."
        if policy.is_required_of(account):
            missing = "There is no second factor. It is set up at the next sign-in."
        return format_html("{}", " ".join([*words, missing]))
    left = factors.codes_left(account)
    words.append(f"There is a second factor, with {left} recovery codes left, since")
    return format_html(
        '{} {}. <a href="{}">Reset it</a>',
        " ".join(words),
        utc(row.created_at),
        reverse("admin:console_second_factor_reset", args=[account.pk]),
    )


def open_sessions(account: User) -> SafeString:
    """Return where the person is signed in, and a link to the page that ends sessions."""
    rows = list(sessions_of(int(account.pk))[:MOST_SESSIONS])
    if not rows:
        return format_html("{}", "There is none.")
    cells = [
        (visible(row.browser), row.address or EMPTY, utc(row.started_at), utc(row.last_seen_at))
        for row in rows
    ]
    return format_html(
        '{}<p><a href="{}">End sessions</a></p>',
        table(("browser", "address", "signed in", "last used"), cells),
        reverse("admin:console_sessions"),
    )


def newest_events(account: User) -> SafeString:
    """Return the newest rows of the audit trail about the account, and a link to all of them."""
    target = f"account:{account.get_username()}"
    rows = list(AuditEvent.objects.filter(target=target).order_by("-at")[:NEWEST])
    if not rows:
        return format_html("{}", "There is none.")
    cells = [
        (utc(row.at), row.action, visible(row.actor), row.source_ip or "", visible(row.reason))
        for row in rows
    ]
    return format_html(
        '{}<p><a href="{}">All of them</a></p>',
        table(("when", "what", "who", "from", "why"), cells),
        list_of(AuditEvent, q=target),
    )
