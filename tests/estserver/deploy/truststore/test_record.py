"""Whose record counts: that of the admin's function, where an operator's laptop has another."""

import io
import json

import pytest
from botocore.response import StreamingBody
from botocore.stub import Stubber
from django.core.management import CommandError, call_command

from estserver.deploy.front_door.truststore_object import OBJECT_KEY
from estserver.deploy.lifecycle.status import status
from estserver.deploy.recipe import function_policy
from estserver.deploy.truststore.pushes import active_version
from estserver.deploy.truststore.record import as_json, from_json, last_activated, pushes_here
from estserver.deploy.zappa.admin_function import LAMBDA_MAXIMUM
from estserver.deploy.zappa.live_version import LiveVersion
from estserver.models import TruststorePush
from pki.aws.clients import aws_client
from pki.models import AuditEvent
from pki.operators.errors import OperatorError
from tests.estserver.deploy.rights.test_deployer import action_of, actions
from tests.support.aws_faults import Fault, aws_calls, failing

pytestmark = pytest.mark.django_db(transaction=True)

INVOKE = "lambda:Invoke"


def run(*arguments):
    out = io.StringIO()
    call_command("aws_truststore", *arguments, stdout=out)
    return out.getvalue()


def truststore(deployment, **options):
    """The truststore's rows of a status: level, finding and advice."""
    rows = status(deployment, [], **options)
    return [(row.level, row.finding, row.advice) for row in rows if row.name == "truststore"]


def function_prints(*outputs):
    """The admin's function, which has a database of its own: what its commands print."""
    stub = Stubber(aws_client("lambda", read_timeout=LAMBDA_MAXIMUM))
    for output in outputs:
        body = json.dumps({"exit_code": 0, "output": output}).encode()
        stub.add_response("invoke", {"Payload": StreamingBody(io.BytesIO(body), len(body))})
    return stub


# aws_status


def test_T27_status_goes_by_the_record_in_the_admins_function(guarded):
    there = as_json(pushes_here(guarded))
    TruststorePush.objects.all().delete()

    with function_prints("No migrations to apply.", there):
        ((level, finding, _),) = truststore(guarded)

    assert (level, finding.endswith("as pushed")) == ("OK", True)


def test_T27_a_laptops_own_record_makes_nothing_ok(guarded):
    assert last_activated(pushes_here(guarded))

    with function_prints("No migrations to apply.", "[]"):
        levels = [level for level, _, _ in truststore(guarded)]

    assert levels == ["FAIL", "FAIL"]


def test_status_can_be_told_that_the_record_is_here(guarded):
    with aws_calls() as calls:
        assert [level for level, _, _ in truststore(guarded, is_here=True)] == ["OK"]

    assert INVOKE not in calls


def test_a_record_that_cant_be_read_fails_and_says_what_to_do(guarded):
    with failing("lambda", "Invoke", Fault.ACCESS_DENIED):
        ((level, finding, advice),) = truststore(guarded)

    assert level == "FAIL"
    assert finding.startswith("its record cannot be read: lambda:Invoke")
    assert "call lambda:Invoke" in finding
    assert advice.startswith("Look at the admin's function, and its log")


def test_a_record_in_other_words_is_an_older_functions():
    with pytest.raises(OperatorError, match="Run zappa update admin"):
        from_json('[{"model": "estserver.truststorepush", "fields": {"colour": 1}}]')


# aws_truststore


def test_cas_and_record_are_the_functions_and_the_waiting_is_here(guarded, new_ca, bring):
    bring(LiveVersion(guarded, "admin"))

    with aws_calls() as calls:
        shown = run("--push", "--reason", "second factory")

    version = active_version(guarded)
    assert last_activated(pushes_here(guarded)).version_id == version
    lines = shown.splitlines()
    assert lines[0] == (
        "in the admin's function: aws_truststore --here --push --no-activate "
        "'--reason=second factory'"
    )
    assert f"  pushed: version {version}, 3 CAs" in lines
    assert lines[-2:] == [
        f"in the admin's function: aws_truststore --here --record-activation={version} "
        "'--reason=second factory'",
        f"active: version {version}",
    ]
    steps = [call for call in calls if call in (INVOKE, "apigateway:UpdateDomainName")]
    assert steps == [INVOKE, INVOKE, "apigateway:UpdateDomainName", INVOKE]


def test_all_options_are_handed_on(guarded, new_ca):
    first = active_version(guarded)
    run("--push", "--reason", "x")

    shown = run("--to", first, "--reason", "a mistake", "--yes", "--dry-run")

    assert (
        f"aws_truststore --here --to={first} --no-activate --yes --dry-run "
        "'--reason=a mistake'" in shown
    )
    assert active_version(guarded) != first


def test_a_push_that_nothing_is_to_trust_yet_is_only_pushed(guarded, new_ca):
    before = active_version(guarded)

    shown = run("--push", "--no-activate", "--reason", "soon")

    assert "No domain trusts it yet. aws_truststore --to " in shown
    assert active_version(guarded) == before
    assert TruststorePush.objects.count() == 2


@pytest.mark.parametrize("way", ["on", "back"])
def test_an_activation_that_was_cut_off_is_made_good_by_a_second_run(guarded, new_ca, way):
    """AWS has changed the domain; whoever asked for it never heard, and recorded nothing."""
    first = active_version(guarded)
    if way == "back":
        run("--push", "--reason", "on")
    change = ("--push",) if way == "on" else ("--to", first, "--yes")

    with (
        failing("apigateway", "UpdateDomainName", Fault.SUCCESS_THEN_TIMEOUT),
        pytest.raises(CommandError) as caught,
    ):
        run(*change, "--reason", "go")
    assert caught.value.returncode == 3
    ((level, _, advice),) = truststore(guarded)
    assert (level, "cut off, run it again" in advice) == ("FAIL", True)

    run(*change, "--reason", "go")

    assert (active_version(guarded) == first) == (way == "back")
    assert [level for level, _, _ in truststore(guarded)] == ["OK"]
    assert AuditEvent.objects.filter(action="truststore.activate", reason="go").count() == 1


def test_what_is_active_and_recorded_is_not_recorded_again(guarded):
    run("--to", active_version(guarded), "--reason", "again")

    assert not AuditEvent.objects.filter(action="truststore.activate", reason="again").exists()


def test_T27_only_what_the_domain_trusts_is_recorded_as_activated(guarded, new_ca):
    run("--push", "--no-activate", "--reason", "soon")
    pushed = TruststorePush.objects.first()

    with pytest.raises(CommandError, match=rf"not {pushed.version_id}\. Nothing was recorded"):
        run("--here", "--record-activation", pushed.version_id, "--reason", "x")

    assert last_activated(pushes_here(guarded)) != pushed


def test_a_refusal_there_is_a_refusal_here(guarded):
    named = {"Bucket": guarded.truststore_bucket, "Key": OBJECT_KEY}
    s3 = aws_client("s3")
    body = s3.get_object(**named)["Body"].read()
    by_somebody = s3.put_object(**named, Body=body)["VersionId"]

    with pytest.raises(
        CommandError, match=r"(?s)in est-server-admin:live ended .*was not pushed"
    ) as caught:
        run("--to", by_somebody, "--reason", "x")

    assert caught.value.returncode == 1


@pytest.mark.parametrize("change", [["--push"], ["--to", "version"]])
def test_a_change_without_a_reason_is_refused_before_the_function_is_asked(guarded, change):
    with (
        failing("lambda", "Invoke", Fault.ACCESS_DENIED),
        pytest.raises(CommandError, match=r"^Say why with --reason") as caught,
    ):
        run(*change)

    assert caught.value.returncode == 1


def test_when_aws_failed_there_the_exit_code_is_3_here_too(guarded, new_ca):
    with (
        failing("s3", "PutObject", Fault.ACCESS_DENIED),
        pytest.raises(CommandError, match="s3:PutObject failed with AccessDenied") as caught,
    ):
        run("--push", "--reason", "x")

    assert caught.value.returncode == 3


def test_without_an_admins_function_it_is_refused_unless_the_record_is_here(guarded):
    aws_client("lambda").delete_function(FunctionName="est-server-admin")

    with pytest.raises(CommandError, match="Run zappa deploy admin, or add --here") as caught:
        run()
    assert caught.value.returncode == 1
    assert f"{active_version(guarded)}" in run("--here")
    ((level, finding, _),) = truststore(guarded)
    assert (level, "is not deployed. Run zappa deploy admin" in finding) == ("FAIL", True)


@pytest.mark.parametrize("where", ["on Lambda", "--here"])
def test_where_the_record_is_nobody_else_is_asked(guarded, new_ca, settings, where):
    settings.IS_LAMBDA = where == "on Lambda"
    here = [] if settings.IS_LAMBDA else ["--here"]

    with aws_calls() as calls:
        shown = run(*here, "--push", "--reason", "x")

    assert INVOKE not in calls
    assert shown.splitlines()[-1] == f"active: version {active_version(guarded)}"
    assert last_activated(pushes_here(guarded)).version_id == active_version(guarded)


def test_the_record_is_printed_for_programs_and_nothing_is_changed(guarded):
    with aws_calls() as calls:
        (row,) = json.loads(run("--here", "--pushes"))

    assert row["fields"]["version_id"] == active_version(guarded)
    assert {*calls} <= {"sts:GetCallerIdentity"}
    assert from_json(json.dumps([row])) == pushes_here(guarded)


def test_the_functions_role_allows_every_call_that_the_command_makes_there(guarded, new_ca):
    first = active_version(guarded)
    with aws_calls() as calls:
        run("--here")
        run("--here", "--push", "--reason", "x")
        run("--here", "--to", first, "--reason", "x", "--yes")
        run("--here", "--record-activation", first, "--reason", "x")
        run("--here", "--record-first-activation")
        run("--here", "--pushes")

    needed = {action_of(call) for call in calls} - {"sts:GetCallerIdentity"}
    assert {"s3:PutObject", "apigateway:PATCH"} <= needed
    policy = function_policy(guarded, "admin")
    assert needed | {"s3:GetObjectVersion"} <= actions(policy)
    (statement,) = [s for s in policy["Statement"] if s["Sid"] == "ActivateTruststore"]
    assert statement["Resource"] == [guarded.gateway_arn(f"/domainnames/{guarded.domains[0].name}")]
