"""What the admin's function does for whom: requests, its own schedules, a list of commands."""

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.contrib.auth import get_user_model
from django.core.management import get_commands, load_command_class

from estserver.config import PROJECT_ROOT as ROOT
from estserver.functions.admin import (
    _PARTS_REFUSED,
    COMMANDS,
    SCHEDULES,
    AdminHandler,
    EventRefused,
    run_command,
)
from pki.models import AuditEvent, DenylistEntry
from tests.support.builders import make_csr

CODE = "open('/tmp/owned', 'w')"
REQUEST = {"httpMethod": "GET", "requestContext": {"apiId": "a1b2c3"}}


@pytest.fixture
def handle():
    """The handler, without Zappa's settings: nothing here gets as far as its WSGI side."""
    handler = object.__new__(AdminHandler)
    return lambda event: handler.handler(event, None)


@pytest.mark.parametrize(
    "event",
    [
        {"raw_command": CODE},
        {"manage": "shell -c 1"},
        {"command": "os.abort"},
        {"command": "estserver.lambda_admin.run_command"},
        {"detail-type": "Scheduled Event", "resources": ["arn:aws:events:::rule/x-os.abort"]},
        {"detail-type": "Scheduled Event", "resources": []},
        {"detail-type": "Scheduled Event"},
        {"Records": [{"Sns": {"Message": json.dumps({"command": "os.abort"})}}]},
        {"Records": [{"s3": {"configurationId": "x:os.abort"}}]},
        {"bot": "x", "currentIntent": {"name": "x"}},
        {"type": "TOKEN"},
        {"triggerSource": "x"},
        {"awslogs": "x"},
        {"requestContext": {"eventType": "CONNECT", "domainName": "x"}},
        {"version": "2.0", "rawPath": "/admin/", "requestContext": {"http": {"method": "GET"}}},
        {**REQUEST, "stageVariables": {"DATABASE_URL": "sqlite:////tmp/mine"}},
        {"httpMethod": "GET", "requestContext": {"elb": {}}},
        {"httpMethod": "GET", "raw_command": CODE},
        {},
    ],
)
def test_T03_events_that_name_code_are_refused(handle, event):
    with pytest.raises(EventRefused):
        handle(event)


@pytest.mark.parametrize(
    "arguments",
    [
        ["shell", "-c", CODE],
        ["dbshell"],
        ["flush", "--no-input"],
        ["loaddata", "x"],
        ["changepassword", "admin"],
        ["migrate", "pki", "zero"],
        ["migrate", "--fake"],
        ["certificates", "revoke-many", "/proc/self/environ", "--reason", "superseded", "--yes"],
        ["certificates", "--traceback", "key-file", "ab", "--out", "x"],
        ["cas", "import", "x", "/proc/self/environ", "--role", "client", "--reason", "r"],
        ["devices", "reprovision", "--filter", "q=x", "--reason", "r"],
        ["find", "/proc/self/environ"],
        ["django.core.management.commands.shell"],
        [],
        "migrate",
        ["migrate", 1],
        [["migrate"]],
        None,
    ],
)
def test_T03_other_commands_are_refused(arguments):
    with pytest.raises(EventRefused):
        run_command(arguments)


def test_every_command_of_the_list_exists():
    assert COMMANDS - get_commands().keys() == set()


def test_T03_a_subcommand_runs_only_if_the_command_that_it_is_does():
    running = {
        f"{name} {word}"
        for name in COMMANDS
        for word, found in getattr(_command(name), "subcommands", {}).items()
        if word not in _PARTS_REFUSED.get(name, ())
        and isinstance(found, str)
        and found.split(".")[-2] not in COMMANDS
    }

    assert running == set()


def _command(name):
    return load_command_class(get_commands()[name], name)


def test_a_subcommand_runs(handle, installation):
    answer = handle({"est_command": ["denylist", "add", "name", "sensor-1", "--reason", "stolen"]})
    tested = handle({"est_command": ["denylist", "test", "sensor-1", "--json"]})

    assert (answer["exit_code"], tested["exit_code"]) == (0, 1)
    assert "sensor-1 is now on the denylist" in answer["output"]


def test_every_schedule_of_zappas_settings_may_run_and_no_other():
    settings = json.loads((ROOT / "zappa_settings.json").read_text())

    assert {event["function"] for event in settings["admin"]["events"]} == SCHEDULES


def test_a_command_answers_with_exit_code_and_output(handle, installation):
    answer = handle({"est_command": ["deny", "name", "sensor-1", "--reason", "stolen"]})

    assert answer["exit_code"] == 0
    assert "sensor-1 is now on the denylist" in answer["output"]
    assert DenylistEntry.objects.filter(value="sensor-1").exists()


def test_a_clients_csr_is_signed_where_no_file_can_be_given(handle, installation):
    csr = x509.load_der_x509_csr(make_csr("client-7")).public_bytes(Encoding.PEM).decode()

    answer = handle({"est_command": ["sign_client_csr", csr, "--validity-days=30"]})

    assert answer["exit_code"] == 0
    certificate = x509.load_pem_x509_certificate(answer["output"].encode())
    assert certificate.subject.rfc4514_string() == "CN=client-7"


@pytest.mark.parametrize("name", ["client.csr", "with\0nul", "x" * 5000])
def test_a_file_that_isnt_there_is_a_sentence_that_says_what_to_give(handle, installation, name):
    answer = handle({"est_command": ["sign_client_csr", name]})

    assert answer["exit_code"] == 1
    assert " cannot be read: " in answer["output"]
    assert "or the PEM text itself" in answer["output"]
    assert len(answer["output"]) < 250


def test_pem_that_is_no_csr_is_refused_and_not_quoted(handle, installation):
    pem = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"

    answer = handle({"est_command": ["sign_client_csr", pem]})

    assert answer["exit_code"] == 1
    assert "The PEM text contains no certificate request." in answer["output"]
    assert "c2VjcmV0" not in answer["output"]


def test_T31_the_trail_names_who_asked_for_the_command(handle, installation):
    command = ["deny", "name", "sensor-1", "--reason", "stolen"]
    alice = "arn:aws:sts::123456789012:assumed-role/Operators/alice"

    handle({"est_command": command, "est_caller": alice})
    handle({"est_command": ["allow", *command[1:]]})

    denied, allowed = AuditEvent.objects.filter(target__contains="sensor-1").order_by("id")
    assert denied.actor == f"command:{alice}"
    assert "alice" not in allowed.actor


@pytest.mark.parametrize("caller", ["x" * 191, "two\nlines", ["alice"], None])
def test_T31_a_caller_that_is_no_name_is_refused(handle, caller):
    with pytest.raises(EventRefused, match="visible characters"):
        handle({"est_command": ["showmigrations"], "est_caller": caller})


def test_a_refusal_answers_with_its_sentence_and_exit_code(handle, installation):
    answer = handle({"est_command": ["deny", "serial", "not-a-number", "--reason", "x"]})

    assert answer["exit_code"] == 1
    assert answer["output"].strip()


def test_wrong_usage_answers_with_what_is_wanted(handle, db):
    answer = handle({"est_command": ["deny"]})

    assert answer["exit_code"] == 2
    assert "the following arguments are required" in answer["output"]


def test_the_log_tells_which_command_ran_and_never_what_it_printed(handle, installation, caplog):
    caplog.set_level("INFO", logger="estserver.functions.admin")

    answer = handle({"est_command": ["first_admin", "eve"]})

    password = answer["output"].split("password ")[1].split()[0]
    assert "first_admin ended with exit code 0" in caplog.text
    assert password not in caplog.text


def test_a_schedule_runs_its_function_and_what_fails_in_it_is_raised(handle, monkeypatch):
    def fail(event, context):
        raise ConnectionError("AWS is away")

    monkeypatch.setattr("estserver.schedule.every_hour", fail)  # the path that the rule names

    with pytest.raises(ConnectionError, match="AWS is away"):
        handle(
            {
                "detail-type": "Scheduled Event",
                "resources": [
                    "arn:aws:events:eu-west-1:123456789012:rule/"
                    "est-server-admin-estserver.schedule.every_hour"
                ],
            }
        )


def test_the_first_admin_can_sign_in_and_is_on_the_audit_trail(installation, client):
    answer = run_command(["first_admin"])

    password = answer["output"].split("password ")[1].split()[0]
    assert client.login(username="admin", password=password)
    assert get_user_model().objects.get().is_superuser
    event = AuditEvent.objects.get(action="first_admin")
    assert event.target == "account:admin"
    assert password not in str(vars(event))


def test_there_is_only_one_first_admin(installation):
    run_command(["first_admin"])

    answer = run_command(["first_admin", "another"])

    assert answer["exit_code"] == 1
    assert "has an account already" in answer["output"]
    assert get_user_model().objects.count() == 1


def test_a_command_looks_whether_its_connection_still_lives(monkeypatch):
    """Its environment may have been idle for hours, after which the database has hung up."""
    steps = []

    class Connection:
        in_atomic_block = False

        def close_if_unusable_or_obsolete(self):
            steps.append("connection")

    module = "estserver.functions.admin"
    monkeypatch.setattr(f"{module}.connections.all", lambda initialized_only: [Connection()])
    monkeypatch.setattr(f"{module}.call_command", lambda *_, **__: steps.append("command"))

    run_command(["showmigrations"])

    assert steps == ["connection", "command"]
