"""What a deployment says of the schedules that Zappa makes and the functions pause."""

import pytest

from estserver.config.rule_names import HOURLY, MINUTELY, rule_name
from estserver.deploy.engine.runs import StepFailed
from estserver.deploy.lifecycle.status import status
from estserver.deploy.recipe import function_policy
from estserver.deploy.resources.watching.schedule_states import ScheduleStates
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import ACCOUNT, CONFIG, REGION

MINUTE, HOUR = (rule_name("est-server", path) for path in (MINUTELY, HOURLY))


@pytest.fixture
def scheduled(deployment, live):
    live(deployment, "admin")
    return deployment


def test_a_paused_minutely_schedule_is_as_it_should_be(scheduled, bring):
    aws_client("events").disable_rule(Name=MINUTE)

    assert bring(ScheduleStates(scheduled)) == []
    (row, *_) = status(scheduled, [ScheduleStates(scheduled)])
    assert (row.level, row.finding) == ("OK", "as it should be")


def test_an_hourly_schedule_that_somebody_disabled_is_enabled(scheduled, bring):
    aws_client("events").disable_rule(Name=HOUR)

    assert bring(ScheduleStates(scheduled)) == ["admin: state of the schedules"]

    assert aws_client("events").describe_rule(Name=HOUR)["State"] == "ENABLED"


def test_without_the_pause_a_disabled_minutely_schedule_is_enabled(scheduled, configured, bring):
    aws_client("events").disable_rule(Name=MINUTE)
    always = configured(CONFIG + "  pauseIdleSchedule: false\n")

    assert bring(ScheduleStates(always)) == ["admin: state of the schedules"]


def test_a_schedule_that_is_missing_names_the_command(scheduled, bring):
    events = aws_client("events")
    events.remove_targets(Rule=HOUR, Ids=["1"])
    events.delete_rule(Name=HOUR)

    with pytest.raises(StepFailed, match="Run zappa update admin"):
        bring(ScheduleStates(scheduled))


def test_T73_the_functions_may_change_this_one_rule_and_est_only_resumes_it(configured):
    def actions(deployment, stage):
        return {
            (action, statement["Resource"])
            for statement in function_policy(deployment, stage)["Statement"]
            for action in statement["Action"]
            if action.startswith("events:")
        }

    deployment = configured()
    arn = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{MINUTE}"
    assert actions(deployment, "est") == {("events:EnableRule", arn)}
    assert actions(deployment, "admin") == {("events:DisableRule", arn), ("events:EnableRule", arn)}
    always = configured(CONFIG + "  pauseIdleSchedule: false\n")
    assert actions(always, "est") | actions(always, "admin") == set()
