"""Which version of a function serves: published, put in service, for a share, rolled back."""

import pytest

from estserver.config.rule_names import MINUTELY, rule_name
from estserver.deploy.engine.runs import StepFailed, carry_out, intentions
from estserver.deploy.zappa.live_version import AS_IT_IS, KEPT_VERSIONS, LiveVersion, Service
from estserver.deploy.zappa.schedules import Schedules
from estserver.deploy.zappa.stage import ZappaStage
from estserver.deploy.zappa.versions import look_at_versions
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import upload

CANARY = Service(percent=10)
PROMOTED = Service(promotes=True)


@pytest.fixture
def stage(deployment, live):
    live(deployment, "est")
    return deployment


def alias(deployment, stage="est"):
    return look_at_versions(deployment, stage).alias


def serves(deployment):
    held = alias(deployment)
    return held.version, held.canary, held.weight


def test_the_first_version_is_published_and_put_in_service(stage, bring):
    assert alias(stage) is None

    assert bring(LiveVersion(stage, "est")) == ["est: version in service"]

    assert serves(stage) == (1, 0, 0.0)
    assert bring(LiveVersion(stage, "est")) == []


def test_a_changed_environment_is_a_new_version(stage, bring):
    bring(LiveVersion(stage, "est"))
    aws_client("lambda").update_function_configuration(
        FunctionName="est-server-est", Environment={"Variables": {"DATABASE_URL": "other"}}
    )

    bring(LiveVersion(stage, "est"))

    assert serves(stage) == (2, 0, 0.0)
    assert alias(stage).before == 1


def test_new_code_serves_only_once_it_is_put_in_service(stage, bring):
    bring(LiveVersion(stage, "est"))
    upload(stage, "est", "new")

    bring(LiveVersion(stage, "est", AS_IT_IS))
    [note] = LiveVersion(stage, "est", AS_IT_IS).plan(look_at_versions(stage, "est")).notes
    assert serves(stage) == (1, 0, 0.0)
    assert "what was uploaded since is not in service" in note

    bring(LiveVersion(stage, "est"))
    assert serves(stage) == (2, 0, 0.0)


def test_a_canary_gets_its_share_until_it_is_promoted(stage, bring):
    bring(LiveVersion(stage, "est"))
    upload(stage, "est", "new")

    bring(LiveVersion(stage, "est", CANARY))
    assert serves(stage) == (1, 2, 0.1)
    assert bring(LiveVersion(stage, "est", CANARY)) == []
    # The usual command leaves it as it is.
    assert bring(LiveVersion(stage, "est")) == []
    bring(LiveVersion(stage, "est", Service(percent=50)))
    assert serves(stage) == (1, 2, 0.5)

    bring(LiveVersion(stage, "est", PROMOTED))
    assert serves(stage) == (2, 0, 0.0)
    assert alias(stage).before == 1


def test_code_that_is_newer_than_the_canary_takes_its_place(stage, bring):
    bring(LiveVersion(stage, "est"))
    upload(stage, "est", "bad")
    bring(LiveVersion(stage, "est", CANARY))
    upload(stage, "est", "good")

    bring(LiveVersion(stage, "est"))

    assert serves(stage) == (3, 0, 0.0)


def test_a_first_canary_has_nothing_beside_it_and_serves_wholly(stage, bring):
    bring(LiveVersion(stage, "est", CANARY))

    assert serves(stage) == (1, 0, 0.0)


def test_old_versions_go_and_those_in_use_stay(stage, bring):
    bring(LiveVersion(stage, "est"))
    upload(stage, "est", "1")
    bring(LiveVersion(stage, "est", CANARY))
    for number in range(KEPT_VERSIONS + 1):
        upload(stage, "est", f"more {number}")
        bring(LiveVersion(stage, "est", CANARY))
    assert min(look_at_versions(stage, "est").codes) == 1

    bring(LiveVersion(stage, "est", PROMOTED))

    seen = look_at_versions(stage, "est")
    assert set(seen.codes) == {1, *range(seen.number - KEPT_VERSIONS + 1, seen.number + 1)}


def test_T76_snap_start_is_refused(stage, monkeypatch, performer):
    step = LiveVersion(stage, "est")
    seen = step.look()
    seen.latest["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    monkeypatch.setattr(LiveVersion, "look", lambda self: seen)

    with pytest.raises(StepFailed, match="SnapStart is on in est-server-est"):
        carry_out([step], performer)
    assert alias(stage) is None


# Schedules


@pytest.fixture
def scheduled(deployment, live, bring):
    live(deployment, "admin")
    bring(LiveVersion(deployment, "admin"))
    zappa_schedules(deployment)
    return deployment


def zappa_schedules(deployment, target_id="1"):
    """What `zappa update` does each time. "1" is the target that `live` has made."""
    events = aws_client("events")
    arn = deployment.arn("lambda", "function:est-server-admin")
    name = rule_name(deployment.project, MINUTELY)
    events.put_rule(Name=name, ScheduleExpression="rate(1 minute)")
    events.put_targets(Rule=name, Targets=[{"Id": target_id, "Arn": arn, "Input": '{"a": 1}'}])
    return name


def targets(name):
    found = aws_client("events").list_targets_by_rule(Rule=name)["Targets"]
    return [(each["Id"], each["Arn"].rpartition(":")[2], each["Input"]) for each in found]


def test_schedules_call_the_version_in_service(scheduled, bring):
    name = rule_name(scheduled.project, MINUTELY)

    assert bring(Schedules(scheduled)) == ["admin: schedules"]

    assert targets(name) == [("1", "live", '{"a": 1}')]
    assert bring(Schedules(scheduled)) == []
    zappa_schedules(scheduled, "Id2")
    bring(Schedules(scheduled))
    assert targets(name) == [("1", "live", '{"a": 1}')]


def test_schedules_of_the_version_in_service_go_with_the_function(scheduled, bring):
    bring(Schedules(scheduled))

    [intended] = intentions([ZappaStage(scheduled, "admin")], removing=True)

    assert "events:DeleteRule" in [call.name for call in intended.calls]
