"""The handler of `estserver.functions.admin`, under the path that the Lambda function names."""

from estserver.functions.admin import handler, run_command

__all__ = ["handler", "run_command"]
