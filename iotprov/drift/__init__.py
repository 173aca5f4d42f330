"""Where AWS IoT and the record disagree, in which direction, and making AWS IoT agree again.

The outbox makes AWS IoT follow the record. Here is looked for what it can't know: what somebody
changed in AWS's console, or what got lost on one side.
"""

from iotprov.drift.comparison import NotCompared, drift
from iotprov.drift.differences import Difference, Direction, Kind
from iotprov.drift.repair import Repair

__all__ = ["Difference", "Direction", "Kind", "NotCompared", "Repair", "drift"]
