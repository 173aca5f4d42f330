"""The path by which deployed schedules name their work: `estserver.operations.schedule`."""

from estserver.operations.schedule import every_hour, every_minute

__all__ = ["every_hour", "every_minute"]
