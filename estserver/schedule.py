"""The functions of `estserver.operations.schedule`, under the path that schedules on AWS name."""

from estserver.operations.schedule import every_hour, every_minute

__all__ = ["every_hour", "every_minute"]
