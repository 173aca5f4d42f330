"""``manage.py run_schedule``: the work of each minute and hour, where no ``runest`` does it."""

import signal
import threading
from typing import Any

from estserver.local_server.housekeeping import housekeeping
from pki.operators.command import OperatorCommand
from pki.operators.effects import Effect

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Command(OperatorCommand):
    """See ``help``."""

    help = (
        "Do what is due each minute and each hour, until a signal ends it: jobs, the outbox, "
        "hooks, abandoned intents, the audit trail's heads, the server's certificate. "
        "A cluster runs one."
    )
    effect = Effect.RUNS

    def handle(self, *args: Any, **options: Any) -> None:
        """Work until SIGINT or SIGTERM. What has begun can be interrupted at any point."""
        stopping = threading.Event()
        for number in STOP_SIGNALS:
            signal.signal(number, lambda number, frame: stopping.set())
        with housekeeping():
            self.say("The schedule runs each minute, until a signal ends it.")
            stopping.wait()
