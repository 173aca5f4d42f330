"""The people side's entry point on Lambda: the web admin, schedules, and a list of commands.

Zappa's handler serves the web requests. It would also run any code that a holder of InvokeFunction
sends it: ``raw_command`` and ``command`` directly, ``manage`` any management command, a forged
schedule any function. So only three kinds of events get in:

* API Gateway's requests, which go to Zappa's handler;
* EventBridge's schedules, for the functions in ``SCHEDULES``;
* ``{"est_command": ["deny", "sensor-1", "--reason", "stolen"]}``, for ``COMMANDS``; with
  ``"est_caller": "..."``, who asks for it.

The last is answered with ``{"exit_code": 0, "output": "..."}``; what a command prints isn't
logged, as it may be a first password. Everything else raises `EventRefused`, which the caller
sees as a failed invocation.
"""

import io
import logging
import os
from typing import Any

import django
from django.core.management import CommandError, call_command
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
        "audit_verify",
        "aws_truststore",
        "bootstrap_cas",
        "ca_successor",
        "check",
        "crl",
        "deny",
        "first_admin",
        "import_aws",
        "migrate",
        "preview_iot",
        "profile_set",
        "profile_show",
        "provision_pending",
        "register_ca",
        "revoke",
        "run_pending_hooks",
        "settle_intents",
        "showmigrations",
        "sign_client_csr",
        "sync_policy",
        "sync_template",
    }
)
"""What may be run from outside. None takes code, a module's name or a whole database."""

_OPTIONS_ALLOWED = {
    # A name of a migration would take the schema back, and the tables' contents with it.
    "migrate": frozenset({"--no-input", "--noinput", "--plan", "--check"}),
}

SCHEDULES = frozenset({"estserver.schedule.every_minute", "estserver.schedule.every_hour"})
"""The functions that ``events`` of ``zappa_settings.json`` name."""


class EventRefused(Exception):
    """The function isn't for this kind of event, or this command."""


class AdminHandler(LambdaHandler):  # type: ignore[misc]
    """Zappa's handler, less everything by which it runs what the event names."""

    def handler(self, event: dict[str, Any], context: Any) -> Any:
        """Answer one event. Raises EventRefused, and what fails in a schedule."""
        if COMMAND_KEY in event:
            return run_command(event[COMMAND_KEY], caller=event.get(CALLER_KEY, ""))
        if event.get("detail-type") == "Scheduled Event":
            return _run_schedule(event, context)
        if _is_request(event):
            return super().handler(event, context)
        raise EventRefused(
            "this function takes requests of its API, its own schedules, and "
            f'{{"{COMMAND_KEY}": [...]}}; nothing else'
        )


def run_command(arguments: Any, *, caller: Any = "") -> dict[str, Any]:
    """Run one of ``COMMANDS``; returns its exit code and what it printed.

    ``caller`` is who asks for it, by their own word, for the audit trail. The exit code is 0, 1 for
    a refusal or wrong usage, 3 when AWS failed. Raises EventRefused for any other command, and
    whatever is a bug.
    """
    if (
        not isinstance(arguments, list)
        or not arguments
        or not all(isinstance(each, str) for each in arguments)
    ):
        raise EventRefused(
            f'"{COMMAND_KEY}" wants a list of texts, the command first: ["migrate", "--no-input"]'
        )
    name = arguments[0]
    if name not in COMMANDS:
        raise EventRefused(
            f"{name!r} isn't among the commands that run here: {', '.join(sorted(COMMANDS))}"
        )
    if not isinstance(caller, str) or len(caller) > CALLER_LENGTH or not caller.isprintable():
        raise EventRefused(
            f'"{CALLER_KEY}" wants a name of at most {CALLER_LENGTH} visible characters'
        )
    allowed = _OPTIONS_ALLOWED.get(name)
    if allowed is not None and (others := sorted({*arguments[1:]} - allowed)):
        raise EventRefused(f"{name} takes {', '.join(sorted(allowed))} here, not {others}")
    printed = io.StringIO()
    exit_code = 0
    try:
        with on_behalf_of(caller):
            call_command(*arguments, stdout=printed, stderr=printed, no_color=True)
    except CommandError as error:
        # Called in this way, a command raises wrong usage instead of printing it.
        exit_code = error.returncode
        printed.write(f"{error}\n")
    except SystemExit as error:
        exit_code = error.code if isinstance(error.code, int) else 1
    level = logging.ERROR if exit_code else logging.INFO
    logger.log(level, "command %s ended with exit code %d", name, exit_code)
    return {"exit_code": exit_code, "output": printed.getvalue()}


def _is_request(event: dict[str, Any]) -> bool:
    """Whether it is one of API Gateway's, as our API sends them.

    Zappa puts ``stageVariables`` into the environment; we set none, so whoever does is a stranger.
    """
    context = event.get("requestContext")
    return (
        bool(event.get("httpMethod"))
        and isinstance(context, dict)
        and bool(context.get("apiId"))
        and not event.get("stageVariables")
    )


def _run_schedule(event: dict[str, Any], context: Any) -> None:
    """Run a schedule's function. Zappa names rules ``<name>-<dotted path>``."""
    resources = event.get("resources") or [""]
    path = str(resources[0]).rpartition("/")[2].rpartition("-")[2]
    if path not in SCHEDULES:
        raise EventRefused(f"no schedule runs {path!r}")
    import_string(path)(event, context)


handler = AdminHandler.lambda_handler
