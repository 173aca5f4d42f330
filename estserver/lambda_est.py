"""The handler of `estserver.functions.est`, under the path that the Lambda function names."""

from estserver.functions.est import handler

__all__ = ["handler"]
