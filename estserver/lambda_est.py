"""The path by which the deployed function names its handler: `estserver.functions.est`."""

from estserver.functions.est import handler

__all__ = ["handler"]
