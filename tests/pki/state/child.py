"""A process of its own that serves EST requests, as one worker of many does.

It reads one line of JSON a request from its standard input (a gateway event, and the point at
which to die, if at all) and writes one line for each reply.
"""

import json
import sys
from contextlib import contextmanager

from tests.support.children import running


class Child:
    """The parent's end of such a process."""

    def __init__(self, process):
        self._process = process

    def ask(self, event, die_at=""):
        """Send a request; returns the reply as the gateway gets it, or None when it died."""
        self._process.stdin.write(json.dumps({"event": event, "die_at": die_at}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        return json.loads(line) if line else None

    def returncode(self):
        """How the process ended; it must have."""
        return self._process.wait(timeout=30)


@contextmanager
def child_process(data_dir):
    """A child on the test's database and data directory."""
    from django.db import connection

    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.pki.state.child_settings",
        "EST_DATA_DIR": str(data_dir),
        "CHILD_DATABASE": str(connection.settings_dict["NAME"]),
    }
    with running("tests.pki.state.child", **environment) as process:
        yield Child(process)


def main():
    """Serve until the input ends."""
    import django

    django.setup()
    from apig_wsgi import make_lambda_handler
    from django.core.handlers.wsgi import WSGIHandler

    from tests.pki.state import faults

    handler = make_lambda_handler(faults.watched_response(WSGIHandler()), binary_support=True)
    for line in sys.stdin:
        task = json.loads(line)
        if task["die_at"]:
            with faults.trap(task["die_at"], faults.kill):
                reply = handler(task["event"], None)
        else:
            reply = handler(task["event"], None)
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
