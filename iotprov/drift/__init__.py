"""Drift: differences between AWS IoT and the record, and their repair.

The outbox makes AWS IoT follow the record. Drift is what the outbox cannot know of, such as a
change in AWS's console, or data that was lost on one side.
"""

from iotprov.drift.comparison import NotCompared, drift
from iotprov.drift.differences import Difference, Direction, Kind
from iotprov.drift.repair import Repair

__all__ = ["Difference", "Direction", "Kind", "NotCompared", "Repair", "drift"]
