"""Commands that are sent into the admin's function, and what comes back."""

import io
import json

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from django.core.management import call_command

from estserver.deploy.engine.runs import StepFailed
from estserver.deploy.engine.slow_spread import PAUSE
from estserver.deploy.lifecycle.first_setup import commands, set_up
from estserver.deploy.zappa.admin_function import (
    CALLER_KEY,
    COMMAND_KEY,
    LAMBDA_MAXIMUM,
    run_in_function,
)
from estserver.functions import admin
from estserver.management.commands.aws_run import EVENT_LIMIT, sent
from pki.aws.clients import aws_client
from pki.operators.errors import OperatorError, RemoteFailure, remote_failure

FUNCTION = "est-server-admin"
CALLER = "arn:aws:sts::123456789012:user/moto"


@pytest.fixture
def function(aws_cloud):
    """AWS Lambda, as far as its answers go."""
    with Stubber(aws_client("lambda", read_timeout=LAMBDA_MAXIMUM)) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def answers(function, payload, command, *, name=FUNCTION, **more):
    body = json.dumps(payload).encode()
    sent = {"est_command": command, "est_caller": CALLER}
    function.add_response(
        "invoke",
        {"StatusCode": 200, "Payload": StreamingBody(io.BytesIO(body), len(body)), **more},
        {"FunctionName": name, "Payload": json.dumps(sent).encode()},
    )


def test_what_the_command_printed_comes_back(function):
    answers(function, {"exit_code": 0, "output": "done\n"}, ["migrate", "--no-input"])

    assert run_in_function(FUNCTION, "migrate", "--no-input") == "done\n"


def test_a_command_that_fails_says_so_in_its_own_words(function):
    answers(function, {"exit_code": 3, "output": "kms:Sign: AccessDenied\n"}, ["bootstrap_cas"])

    with pytest.raises(OperatorError, match=r"exit code 3: kms:Sign: AccessDenied\.$") as caught:
        run_in_function(FUNCTION, "bootstrap_cas")
    assert remote_failure(caught.value)


def test_before_a_version_is_in_service_what_was_uploaded_runs_the_command(function):
    function.add_client_error("invoke", "ResourceNotFoundException", "no alias", 404)
    answers(function, {"exit_code": 0, "output": "done\n"}, ["crl"])

    assert run_in_function(f"{FUNCTION}:live", "crl") == "done\n"


def test_a_command_that_refuses_is_no_failure_of_awss(function):
    answers(function, {"exit_code": 1, "output": "no such device\n"}, ["deny"])

    with pytest.raises(OperatorError, match=r"exit code 1: no such device\.$") as caught:
        run_in_function(FUNCTION, "deny")
    assert remote_failure(caught.value) is None


def test_a_function_that_breaks_is_a_failure_too(function):
    payload = {"errorType": "EventRefused", "errorMessage": "'shell' isn't among the commands"}
    answers(function, payload, ["shell"], FunctionError="Unhandled")

    with pytest.raises(OperatorError, match="could not run shell: 'shell' isn't among"):
        run_in_function(FUNCTION, "shell")


def test_a_missing_function_is_awss_word(function):
    function.add_client_error("invoke", "ResourceNotFoundException", "Function not found", 404)

    with pytest.raises(RemoteFailure, match="lambda:Invoke"):
        run_in_function(FUNCTION, "migrate")


def test_both_sides_use_the_same_keys():
    assert (COMMAND_KEY, CALLER_KEY) == (admin.COMMAND_KEY, admin.CALLER_KEY)


def test_a_setup_that_stops_says_which_commands_are_done(function, configured, said, clock):
    answers(function, {"exit_code": 0, "output": ""}, ["migrate", "--no-input"])
    answers(function, {"exit_code": 3, "output": "kms:Sign: KMSInternal\n"}, ["bootstrap_cas"])

    with pytest.raises(StepFailed) as caught:
        set_up(configured(), say=said, is_dry_run=False, clock=clock)

    assert remote_failure(caught.value)
    assert clock.slept == []
    assert str(caught.value) == (
        "Step 2 of 5, setup of the admin, bootstrap_cas: bootstrap_cas in est-server-admin ended "
        "with exit code 3: kms:Sign: KMSInternal. Done already: migrate. Mend that, and run the "
        "command again. It goes on from here."
    )


def test_a_setup_whose_rights_are_not_in_force_yet_goes_on_after_a_while(
    function, configured, said, clock
):
    denied = {"exit_code": 3, "output": "kms:Sign: AccessDenied\n"}
    answers(function, {"exit_code": 0, "output": ""}, ["migrate", "--no-input"])
    answers(function, denied, ["bootstrap_cas"])
    answers(function, {"exit_code": 0, "output": ""}, ["bootstrap_cas"])
    for command in commands(configured().config)[2:]:
        answers(function, {"exit_code": 0, "output": ""}, [*command])

    set_up(configured(), say=said, is_dry_run=False, clock=clock)

    assert clock.slept == [PAUSE]


def test_a_setup_that_is_denied_for_good_names_what_was_waited_for(
    function, configured, said, clock
):
    denied = {"exit_code": 3, "output": "kms:Sign: AccessDenied\n"}
    answers(function, {"exit_code": 0, "output": ""}, ["migrate", "--no-input"])
    for _ in range(1 + 60 // int(PAUSE)):
        answers(function, denied, ["bootstrap_cas"])

    with pytest.raises(StepFailed) as caught:
        set_up(configured(), say=said, is_dry_run=False, clock=clock)

    assert sum(clock.slept) == 60
    assert str(caught.value) == (
        "Step 2 of 5, setup of the admin, bootstrap_cas: bootstrap_cas in est-server-admin ended "
        "with exit code 3: kms:Sign: AccessDenied. This command has waited 60 s, because at first "
        "IAM has not put the policy of the function's role into force yet. That is not the cause. "
        "Done already: migrate. Mend that, and run the command again. It goes on from here."
    )


def test_any_command_of_the_list_can_be_run_from_here(function, configured, capsys):
    configured()
    arguments = ["deny", "name", "x", "--reason", "y"]
    answers(function, {"exit_code": 0, "output": "done\n"}, arguments, name=f"{FUNCTION}:live")

    call_command("aws_run", "deny", "name", "x", "--reason", "y")

    assert capsys.readouterr().out == "done\n"


def test_a_files_text_is_sent_for_an_argument_that_names_it(tmp_path):
    (tmp_path / "deny.csv").write_text("kind,value,reason,expires\nname,pump-1,stolen,\n")

    assert sent(["--text", f"@{tmp_path}/deny.csv", "@@office", "x"]) == [
        "--text",
        "kind,value,reason,expires\nname,pump-1,stolen,\n",
        "@office",
        "x",
    ]
    with pytest.raises(OperatorError, match=r"absent cannot be read: No such file"):
        sent(["@absent"])
    (tmp_path / "large").write_text("x" * EVENT_LIMIT)
    with pytest.raises(OperatorError, match=r"have 6\.0 MB, and Lambda takes 6\. Split the file"):
        sent([f"@{tmp_path}/large"])
