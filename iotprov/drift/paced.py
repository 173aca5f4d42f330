"""Reading calls to one target, no faster than AWS allows."""

import time
from collections.abc import Callable
from typing import TypeVar

from iotprov.conf import IoTTarget
from iotprov.drift.heartbeat import beat
from iotprov.provisioning.iot_certificates import Registry
from iotprov.provisioning.pacing import Pace
from pki.operators.errors import RemoteFailure

TRIES = 5
"""How often a call is made that AWS throttles."""

T = TypeVar("T")


class PacedRegistry:
    """A registry for reading. It goes slowly, because enrollments share its quotas."""

    def __init__(self, target: IoTTarget) -> None:
        self._pace = Pace()
        self._registry = Registry(target, before_call=self._wait)

    def ask(self, question: Callable[[Registry], T]) -> T:
        """Return the answer. Raises ``RemoteFailure``, also if AWS throttles ``TRIES`` times."""
        for _ in range(TRIES - 1):
            try:
                answer = question(self._registry)
            except RemoteFailure as failure:
                if not failure.is_throttled:
                    raise
                self._pace.slow_down()
            else:
                self._pace.go_on()
                return answer
        return question(self._registry)

    def _wait(self, operation: str) -> None:
        beat()
        time.sleep(self._pace.delay(operation))
