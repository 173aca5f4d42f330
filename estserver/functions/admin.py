"""The admin's entry point on Lambda: the web admin, schedules, and a list of commands.

Zappa's handler serves the web requests. It would also run any code that a holder of InvokeFunction
sends: Python code (``raw_command``, ``command``), any management command (``manage``), and any
function (a forged schedule). This handler therefore accepts three kinds of events only:

* API Gateway's requests, which go to Zappa's handler;
* EventBridge's schedules, for the functions in ``SCHEDULES``;
* ``{"est_command": ["deny", "sensor-1", "--reason", "stolen"]}``, for ``COMMANDS``. The caller may
  give a name for the audit trail in ``"est_caller": "..."``.

A command is answered with ``{"exit_code": 0, "output": "..."}``. Its output is not logged, because
it may be a first password. Every other event raises `EventRefused`, which the caller receives as a
failed invocation.
"""

import io
import logging
import os
from typing import Any

import django
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils.module_loading import import_string
from zappa.handler import LambdaHandler  # type: ignore[import-untyped]

from estserver.checks import refuse_unsafe_settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "estserver.settings.admin")
django.setup()
refuse_unsafe_settings()

from pki.operators.command import on_behalf_of  # noqa: E402 - its models want Django set up

logger = logging.getLogger(__name__)

COMMAND_KEY = "est_command"
CALLER_KEY = "est_caller"
CALLER_LENGTH = 190

COMMANDS = frozenset(
    {
        "allow",
        "audit",
        "audit_verify",
        "aws_truststore",
        "bootstrap_cas",
        "ca_roll",
        "ca_successor",
        "cas",
        "certificates",
        "check",
        "count_certificates",
        "crl",
        "deny",
        "deny_check",
        "deny_import",
        "denylist",
        "device",
        "devices",
        "distrust_ca",
        "drift",
        "first_admin",
        "hooks",
        "import_aws",
        "jobs",
        "migrate",
        "notices",
        "outbox",
        "people",
        "policy",
        "preview_iot",
        "profile_set",
        "profile_show",
        "profiles",
        "provision_pending",
        "rebind_names",
        "register_ca",
        "release_name",
        "requests",
        "retire_ca",
        "revoke",
        "run_pending_hooks",
        "second_factor",
        "sessions",
        "settle_intents",
        "showmigrations",
        "sign_client_csr",
        "sync_policy",
        "sync_template",
        "targets",
        "template",
        "webhooks",
    }
)
"""The commands that may be run from outside. None takes code, a module's name or a database."""

_OPTIONS_ALLOWED = {
    # The name of a migration would undo later ones, and drop their tables with the contents.
    "migrate": frozenset({"--no-input", "--noinput", "--plan", "--check"}),
}

_PARTS_REFUSED = {
    # Their files are those of the machine, and what they print may quote them. --filter is for the
    # console there, which starts the same jobs.
    "cas": frozenset({"import"}),
    "certificates": frozenset({"export", "key-file", "revoke-many"}),
    "devices": frozenset({"reprovision"}),
    "outbox": frozenset({"reprovision"}),
}
"""Subcommands that do not run here, nor does the command that each is."""

SCHEDULES = frozenset({"estserver.schedule.every_minute", "estserver.schedule.every_hour"})
"""The functions in ``events`` of ``zappa_settings.json``."""


class EventRefused(Exception):
    """The function does not accept this kind of event, or this command."""


class AdminHandler(LambdaHandler):  # type: ignore[misc]
    """Zappa's handler, without the ways in which it runs code that an event names."""

    def handler(self, event: dict[str, Any], context: Any) -> Any:
        """Answer one event. Raises EventRefused, and whatever a scheduled function raises."""
        if COMMAND_KEY in event:
            return run_command(event[COMMAND_KEY], caller=event.get(CALLER_KEY, ""))
        if event.get("detail-type") == "Scheduled Event":
            return _run_schedule(event, context)
        if _is_request(event):
            return super().handler(event, context)
        raise EventRefused(
            "This function accepts requests of its API, its own schedules, and "
            f'{{"{COMMAND_KEY}": [...]}}. The event is none of them.'
        )


def run_command(arguments: Any, *, caller: Any = "") -> dict[str, Any]:
    """Run one of ``COMMANDS``. Return its exit code and what it printed.

    Args:
        arguments: the command's name and its arguments, as a list of texts.
        caller: the name that the caller gives, for the audit trail. It is not verified.

    Returns:
        ``exit_code`` is that of every command (`pki.operators.exit_codes`). ``output`` is text.

    Raises:
        EventRefused: the command is not in ``COMMANDS``, or an argument is not allowed here.
        Exception: a bug in the command.
    """
    # Step 1: refuse everything but a known command with allowed arguments.
    if (
        not isinstance(arguments, list)
        or not arguments
        or not all(isinstance(each, str) for each in arguments)
    ):
        raise EventRefused(
            f'"{COMMAND_KEY}" must be a list of texts, as in ["migrate", "--no-input"].'
        )
    name = arguments[0]
    if name not in COMMANDS:
        raise EventRefused(
            f"{name!r} does not run here. The commands are: {', '.join(sorted(COMMANDS))}."
        )
    if not isinstance(caller, str) or len(caller) > CALLER_LENGTH or not caller.isprintable():
        raise EventRefused(
            f'"{CALLER_KEY}" must be a name of at most {CALLER_LENGTH} visible characters.'
        )
    allowed = _OPTIONS_ALLOWED.get(name)
    if allowed is not None and (others := sorted({*arguments[1:]} - allowed)):
        raise EventRefused(
            f"{name} accepts {', '.join(sorted(allowed))} here, not {', '.join(others)}."
        )
    if parts := sorted({*arguments[1:]} & _PARTS_REFUSED.get(name, frozenset())):
        raise EventRefused(f"{name} {parts[0]} does not run here.")
    # Step 2: run it, with its output in memory.
    printed = io.StringIO()
    exit_code = 0
    _look_at_connections()
    try:
        with on_behalf_of(caller):
            call_command(*arguments, stdout=printed, stderr=printed, no_color=True)
    except CommandError as error:
        # With call_command, wrong usage raises CommandError as well, instead of exiting.
        exit_code = error.returncode
        printed.write(f"{error}\n")
    except SystemExit as error:
        exit_code = error.code if isinstance(error.code, int) else 1
    # Step 3: log the outcome, and never the output.
    level = logging.ERROR if exit_code else logging.INFO
    logger.log(level, "command %s ended with exit code %d", name, exit_code)
    return {"exit_code": exit_code, "output": printed.getvalue()}


def _look_at_connections() -> None:
    """Have each connection looked at before its next use, as Django does for a request.

    This environment may have been idle for hours, and the database may have hung up.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _is_request(event: dict[str, Any]) -> bool:
    """Return whether the event is a request from this project's API in API Gateway.

    Zappa puts ``stageVariables`` into the environment. This project's API has none, so an event
    with stage variables is forged.
    """
    context = event.get("requestContext")
    return (
        bool(event.get("httpMethod"))
        and isinstance(context, dict)
        and bool(context.get("apiId"))
        and not event.get("stageVariables")
    )


def _run_schedule(event: dict[str, Any], context: Any) -> None:
    """Run a schedule's function, whose path is in the rule's name (``<name>-<dotted path>``)."""
    resources = event.get("resources") or [""]
    path = str(resources[0]).rpartition("/")[2].rpartition("-")[2]
    if path not in SCHEDULES:
        raise EventRefused(
            f"The schedule's function {path!r} does not run here. The functions are: "
            f"{', '.join(sorted(SCHEDULES))}."
        )
    import_string(path)(event, context)


handler = AdminHandler.lambda_handler
