"""Processes of functions that stay between invocations, as Lambda's execution environments do.

A process answers the events of one function, one at a time, while its code and its environment are
the same; another environment is another process
(https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html). Starting one for
each event would take longer than all that these tests ask of it.
"""

import atexit
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Lock, Timer

PROGRAM = Path(__file__).with_name("function_process.py")
SECONDS = 120
"""How long a function may take for one event."""

MOST = 3
"""Processes that stay. An installation has two functions."""

_warm = {}
_choosing = Lock()


class WarmFunction:
    """A process that has imported a function's handler."""

    def __init__(self, root, handler, environ):
        self._one_at_a_time = Lock()
        self._printed = tempfile.TemporaryFile("w+")  # noqa: SIM115 - it is open as long as the process
        self._process = subprocess.Popen(
            # -B: Lambda's directory is read-only, so no byte code is written there either.
            [sys.executable, "-I", "-S", "-B", str(PROGRAM), root, handler],
            cwd=root,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            text=True,
        )

    @property
    def runs(self):
        """Whether it can take another event."""
        return self._process.poll() is None

    def answer(self, event):
        """What the handler returns for an event, or the error that Lambda would report."""
        with self._one_at_a_time:
            patience = Timer(SECONDS, self._process.kill)
            patience.start()
            try:
                self._process.stdin.write(f"{json.dumps(event)}\n")
                self._process.stdin.flush()
                for line in self._process.stdout:
                    if line.startswith("answer "):
                        return json.loads(line.removeprefix("answer "))
            except BrokenPipeError:
                pass  # it has ended, and says below why
            finally:
                patience.cancel()
            self._process.wait()
        self._printed.seek(0)
        return {"errorType": "Runtime.ExitError", "errorMessage": self._printed.read()[-2000:]}

    def end(self):
        """End the process, after the event that it has in hand."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._printed.close()


def answer(root, handler, environ, event):
    """What a function with that code and that environment answers to an event."""
    key = (root, handler, *sorted(environ.items()))
    with _choosing:
        function = _warm.pop(key, None)
        if function is None or not function.runs:
            function = WarmFunction(root, handler, environ)
        _warm[key] = function  # the last one is the one that was used last
        while len(_warm) > MOST:
            _warm.pop(next(iter(_warm))).end()
    return function.answer(event)


@atexit.register
def end_all():
    """End every process, because what they are connected to goes."""
    while _warm:
        _warm.popitem()[1].end()
