"""Management commands inside the admin's function, where the database can be reached."""

import json
from typing import Any

from estserver.deploy.calls import Call
from pki import aws
from pki.aws import HERE, Place
from pki.exceptions import OperatorError

COMMAND_KEY = "est_command"
"""As in `estserver.lambda_admin`, which only the function itself can import."""

LAMBDA_MAXIMUM = 900
"""Seconds that a function may run; a migration may take some of them."""


def invocation(function: str, *command: str, because: str) -> Call:
    """The call that `run_in_function` makes, to be shown."""
    return Call(
        "lambda",
        "Invoke",
        because,
        {"FunctionName": function, "Payload": json.dumps({COMMAND_KEY: [*command]})},
    )


def run_in_function(function: str, *command: str, place: Place = HERE) -> str:
    """Run a management command in the function named; returns what it printed.

    ``command`` is one of `estserver.lambda_admin.COMMANDS` with its arguments. Raises
    OperatorError with the command's own words when it fails, RemoteFailure when AWS does.
    """
    call = f"lambda:Invoke {function}"
    with aws.translated(call):
        answer = aws.client("lambda", place, patience=LAMBDA_MAXIMUM).invoke(
            FunctionName=function,
            Payload=json.dumps({COMMAND_KEY: [*command]}).encode(),
        )
        said: Any = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        reason = said.get("errorMessage", "no message") if isinstance(said, dict) else said
        raise OperatorError(f"{function} couldn't run {command[0]}: {reason}; see its log")
    if said["exit_code"]:
        raise OperatorError(
            f"{command[0]} in {function} ended with exit code {said['exit_code']}: "
            f"{said['output'].strip()}"
        )
    return str(said["output"])
