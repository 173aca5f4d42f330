"""A worker in a process of its own, which drains the outbox and may die on the way.

It reads one line of JSON a task from its standard input, works on each in a fork of itself, and
writes a line with the calls that were made and whether the fork lived.
"""

import json
import os
import signal
import sys
from contextlib import contextmanager

from tests.support.children import running

MOMENTS = ("before-call", "after-call", "after-commit")


class Child:
    """The parent's end of such a process."""

    def __init__(self, process):
        self._process = process

    def start(self, moment="", number=0):
        """Have the outbox drained; the worker dies when it reaches the moment the nth time."""
        task = {"moment": moment, "number": number}
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()

    def finish(self):
        """Wait; returns the calls, and whether the worker lived."""
        reply = json.loads(self._process.stdout.readline())
        return reply["calls"], reply["lived"]

    def drain(self, moment="", number=0):
        """Both."""
        self.start(moment, number)
        return self.finish()


@contextmanager
def child_process():
    """A child on the test's database, data directory and AWS account."""
    from django.conf import settings
    from django.db import connection

    given = {
        "database": str(connection.settings_dict["NAME"]),
        "template": str(settings.IOT.template_path),
        "policy": settings.IOT.policy_name,
    }
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.iotprov.child_settings",
        "EST_DATA_DIR": str(settings.EST_DATA_DIR),
        "CHILD_SETTINGS": json.dumps(given),
    }
    with running("tests.iotprov.child", **environment) as process:
        yield Child(process)


def main():
    """Serve until the input ends."""
    import django

    django.setup()
    from iotprov.provisioning.worker import WORKER_READ_TIMEOUT
    from pki.aws.clients import aws_client

    client = aws_client(
        "iot", read_timeout=WORKER_READ_TIMEOUT
    )  # made once; it hasn't connected yet
    for line in sys.stdin:
        task = json.loads(line)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            _work(client, task, writer)
        os.close(writer)
        with os.fdopen(reader) as calls:
            made = calls.read().split()
        _, status = os.waitpid(pid, 0)
        lived = os.waitstatus_to_exitcode(status) == 0
        assert lived or os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        sys.stdout.write(json.dumps({"calls": made, "lived": lived}) + "\n")
        sys.stdout.flush()


def _work(client, task, writer):
    """In the fork: drain, and perhaps die."""
    from django.db import connection

    from iotprov.provisioning.worker import drain

    reached = dict.fromkeys(MOMENTS, 0)

    def at(moment):
        reached[moment] += 1
        if moment == task["moment"] and reached[moment] == task["number"]:
            os.kill(os.getpid(), signal.SIGKILL)

    def before_call(model, **_):
        at("before-call")
        os.write(writer, f"{model.name} ".encode())

    client.meta.events.register("before-call", before_call)
    client.meta.events.register("after-call", lambda **_: at("after-call"))
    commit = connection.commit

    def watched_commit():
        commit()
        at("after-commit")

    connection.commit = watched_commit
    code = 1
    try:
        drain()
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main()
