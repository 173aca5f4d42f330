"""The path by which the deployed function names its handler: `estserver.functions.admin`."""

from estserver.functions.admin import handler, run_command

__all__ = ["handler", "run_command"]
