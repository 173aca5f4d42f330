"""The truststore in a real browser, by keyboard alone: compared, pushed, and gone back to."""

import pytest

from estserver.deploy.truststore.pushes import active_version
from estserver.deploy.truststore.versions import read_version
from estserver.models import TruststorePush
from pki.jobs.worker import work_on_jobs
from tests.estserver.console.crawl import alice
from tests.support.chromium import chromium
from tests.support.keyboard import Keyboard

__all__ = ["alice", "chromium"]

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "estserver_truststorepush_changelist"


def send_with_reason(keyboard, reason):
    """Give a reason, and say that this database is the deployment's."""
    keyboard.write("reason", reason)
    keyboard.press_in("is_here", [" "])
    keyboard.send()
    assert "begins within a minute" in keyboard.words
    work_on_jobs(seconds=60)


def test_a_new_ca_is_seen_pushed_and_taken_back_by_keyboard(
    guarded, new_ca, chromium, live_server, alice
):
    first = TruststorePush.objects.get()
    chromium.set_cookie(live_server.url, "sessionid", alice.cookies["sessionid"].value)
    keyboard = Keyboard(chromium, live_server)
    # Step 1: what a push would change.
    keyboard.open(LIST)
    keyboard.follow("a[href*='/truststorepush/compare/']")
    keyboard.send()
    assert "A push adds it" in keyboard.words
    # Step 2: the push is a job.
    keyboard.open(LIST)
    keyboard.follow("a[href*='/truststorepush/push/']")
    send_with_reason(keyboard, "second factory")
    assert new_ca.certificate in read_version(guarded, active_version(guarded)).certificates
    # Step 3: back to the version before.
    keyboard.open("estserver_truststorepush_change", first.pk)
    keyboard.follow("a[href*='/roll-back/']")
    keyboard.press_in("is_removal_meant", [" "])
    send_with_reason(keyboard, "not yet")

    assert active_version(guarded) == first.version_id
    assert chromium.complaints == []
