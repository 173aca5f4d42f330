"""Run management commands inside the admin's function, where the database can be reached."""

import json
import shlex
from collections.abc import Callable
from typing import Any

from estserver.deploy.deployment import LIVE
from estserver.deploy.engine.calls import Call
from pki.aws.clients import DEFAULT_LOCATION, AWSLocation, as_remote_failure, aws_client
from pki.operators.command import REMOTE_FAILURE
from pki.operators.errors import OperatorError, RemoteFailure

COMMAND_KEY, CALLER_KEY = "est_command", "est_caller"
"""The event's keys, as in `estserver.functions.admin`, which only the function can import."""

LAMBDA_MAXIMUM = 900
"""Seconds that a function may run. A migration of a large table may take minutes."""


def invocation(function: str, *command: str, reason: str) -> Call:
    """Return the call that `run_in_function` makes, for a plan."""
    return Call(
        "lambda",
        "Invoke",
        reason,
        {"FunctionName": function, "Payload": json.dumps({COMMAND_KEY: [*command]})},
    )


def run_in_function(function: str, *command: str, place: AWSLocation = DEFAULT_LOCATION) -> str:
    """Run a management command in the named function, and return its output.

    ``function`` may name a version or alias, as ``Deployment.live_function`` does; while there is
    no such alias, what was uploaded last runs the command. ``command`` is one of
    `estserver.functions.admin.COMMANDS` with its arguments. The audit trail there names the
    identity of the credentials here. Raises OperatorError with the command's own message when it
    fails, and RemoteFailure when AWS does.
    """
    with as_remote_failure("sts:GetCallerIdentity"):
        caller = aws_client("sts", place).get_caller_identity()["Arn"]
    payload = json.dumps({COMMAND_KEY: [*command], CALLER_KEY: caller}).encode()
    name, _, qualifier = function.partition(":")
    try:
        answer, said = _invoke(function, payload, place)
    except RemoteFailure as error:
        if error.code != "ResourceNotFoundException" or qualifier != LIVE:
            raise
        answer, said = _invoke(name, payload, place)
    if answer.get("FunctionError"):
        reason = said.get("errorMessage", "no message") if isinstance(said, dict) else said
        sentence = str(reason).rstrip(".")
        raise OperatorError(f"{function} could not run {command[0]}: {sentence}. See its log.")
    exit_code, output = said["exit_code"], str(said["output"])
    if exit_code:
        said_there = output.strip().rstrip(".")
        sentence = f"{command[0]} in {function} ended with exit code {exit_code}: {said_there}."
        cause = None
        if exit_code == REMOTE_FAILURE:  # so that the command here ends with the same code
            cause = RemoteFailure(command[0], "exit code 3", output.strip(), f"Look at {function}.")
        raise OperatorError(sentence) from cause
    return output


def _invoke(function: str, payload: bytes, place: AWSLocation) -> tuple[dict[str, Any], Any]:
    """Return Lambda's answer and what the function said. Raises ``RemoteFailure``."""
    with as_remote_failure(f"lambda:Invoke {function}"):
        client = aws_client("lambda", place, read_timeout=LAMBDA_MAXIMUM)
        answer: dict[str, Any] = client.invoke(FunctionName=function, Payload=payload)
        return answer, json.loads(answer["Payload"].read())


def run_aloud(function: str, *command: str, say: Callable[[str], None]) -> None:
    """Do as `run_in_function` does, and print what is run with its output."""
    say(running(command))
    for line in run_in_function(function, *command).splitlines():
        say(f"  {line}")


def running(command: tuple[str, ...]) -> str:
    """Return the line that announces a command there."""
    return f"in the admin's function: {shlex.join(command)}"
