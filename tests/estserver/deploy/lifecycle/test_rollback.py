"""Back to the version before: which one, whether it knows the schema, and what happens after."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from estserver.deploy.deployment import STAGES
from estserver.deploy.zappa.live_version import LiveVersion, Service
from estserver.deploy.zappa.schema import (
    applied_in,
    description_here,
    not_covered,
    schema_here,
    schema_of,
)
from estserver.deploy.zappa.versions import look_at_versions
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import upload

pytestmark = pytest.mark.django_db(transaction=True)


def describe(stage, text):
    """Zappa sets a function's description from its settings."""
    aws_client("lambda").update_function_configuration(
        FunctionName=f"est-server-{stage}", Description=text
    )


@pytest.fixture
def updated(deployment, live, bring):
    """Both functions serve their second version."""
    for stage in STAGES:
        live(deployment, stage)
        describe(stage, description_here())
        bring(LiveVersion(deployment, stage))
        upload(deployment, stage, "new")
        bring(LiveVersion(deployment, stage))
        assert alias(deployment, stage).version == 2
    return deployment


def alias(deployment, stage):
    return look_at_versions(deployment, stage).alias


def run(*arguments):
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_both_functions_go_back_and_the_usual_deployment_leaves_them_there(updated, bring):
    said = run("aws_rollback")

    assert said.endswith("changed: est: roll back, admin: roll back\n")
    assert [alias(updated, stage).version for stage in STAGES] == [1, 1]
    step = LiveVersion(updated, "est")
    assert bring(step) == []
    [note] = step.plan(step.look()).notes
    assert "runs version 1, because it was rolled back from version 2" in note

    upload(updated, "est", "corrected")
    bring(step)
    assert alias(updated, "est").version == 3
    bring(LiveVersion(updated, "admin", Service(promotes=True)))
    assert alias(updated, "admin").version == 2


def test_a_stage_can_go_back_alone_and_to_a_version_that_is_named(updated, bring):
    upload(updated, "est", "third")
    bring(LiveVersion(updated, "est"))

    run("aws_rollback", "est", "--to", "1")

    assert (alias(updated, "est").version, alias(updated, "admin").version) == (1, 2)
    with pytest.raises(CommandError, match=r"has no version 9\. Its versions are 1, 2, 3\."):
        run("aws_rollback", "est", "--to", "9")
    with pytest.raises(CommandError, match="--to 1 needs a stage"):
        run("aws_rollback", "--to", "1")


def test_a_canary_ends_and_what_served_the_rest_serves_all(updated, bring):
    upload(updated, "est", "third")
    bring(LiveVersion(updated, "est", Service(percent=25)))
    assert alias(updated, "est").canary == 3

    run("aws_rollback", "est")

    held = alias(updated, "est")
    assert (held.version, held.canary, held.rolled_back_from) == (2, 0, 3)


def test_a_second_rollback_goes_further_back_or_says_that_there_is_nothing(updated, bring):
    run("aws_rollback", "est")

    with pytest.raises(CommandError, match="runs version 1, and there is no version before it"):
        run("aws_rollback", "est")


def test_a_dry_run_prints_the_calls_and_makes_none(updated):
    said = run("aws_rollback", "--dry-run")

    assert said.count("lambda:UpdateAlias") == 2
    assert [alias(updated, stage).version for stage in STAGES] == [2, 2]


def test_before_a_deployment_there_is_nothing_to_go_back_to(deployment, live):
    with pytest.raises(CommandError, match="The stage est is not deployed"):
        run("aws_rollback", "est")
    live(deployment, "est")
    with pytest.raises(CommandError, match="has no version in service yet"):
        run("aws_rollback", "est")


# The schema


def test_T78_code_that_does_not_know_the_schema_is_refused(updated, bring):
    known = schema_here()
    older = {**known, "pki": f"{int(known['pki']) - 1:04}"}
    text = " ".join(f"{app} {number}" for app, number in older.items())
    describe("est", f"EST server; schema: {text}")
    upload(updated, "est", "older")
    bring(LiveVersion(updated, "est"))
    describe("est", description_here())
    upload(updated, "est", "newer")
    bring(LiveVersion(updated, "est"))
    served = alias(updated, "est").version

    with pytest.raises(CommandError, match=rf"the database has pki\.{known['pki']}_") as caught:
        run("aws_rollback")

    assert caught.value.returncode == 1
    # Neither function was changed: both were looked at first.
    assert (alias(updated, "est").version, alias(updated, "admin").version) == (served, 2)
    run("aws_rollback", "est", "--ignore-schema")
    assert alias(updated, "est").version < served


def test_T78_code_that_does_not_say_what_it_knows_is_refused(updated, bring):
    describe("est", "Zappa Deployment")
    upload(updated, "est", "of an older release")
    bring(LiveVersion(updated, "est"))
    unknown = alias(updated, "est").version
    describe("est", description_here())
    upload(updated, "est", "newer")
    bring(LiveVersion(updated, "est"))

    with pytest.raises(CommandError, match="does not say which migrations it has"):
        run("aws_rollback", "est", "--to", str(unknown))


def test_the_schema_is_read_from_what_django_prints():
    printed = "pki\n [X] 0001_initial\n [X] 0002_more (3 squashed migrations)\n [ ] 0003_next\n"
    printed += "sessions\n (no migrations)\n"

    applied = applied_in(printed)

    assert applied == {"pki": ["0001_initial", "0002_more"]}
    assert not_covered(applied, {"pki": "0002"}) == []
    assert not_covered(applied, {"pki": "0001"}) == ["pki.0002_more"]
    assert not_covered(applied, {}) == ["pki.0001_initial", "pki.0002_more"]
    assert schema_of("Zappa Deployment") == {}
    assert schema_of(description_here()) == schema_here()


def test_a_stage_that_does_not_exist_is_refused_before_aws_is_asked(monkeypatch):
    monkeypatch.setattr(
        "estserver.management.commands.aws_rollback.current_deployment",
        lambda: pytest.fail("AWS was asked"),
    )

    with pytest.raises(CommandError, match="There is no stage 'nothing'"):
        run("aws_rollback", "nothing")
