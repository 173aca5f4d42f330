"""Template and policy on their way to AWS IoT."""

import json
import time
from dataclasses import replace

import pytest

from iotprov.conf import IoTTarget
from iotprov.documents.push import diff, push, push_everywhere
from iotprov.documents.state import Agreement, target_states
from iotprov.documents.versions import add_version, body_in_force, filled
from iotprov.exceptions import DocumentError
from iotprov.models import DocumentPush, DocumentVersion
from pki.aws.clients import AWSLocation, aws_client
from pki.aws.ownership import MADE_BY
from pki.models import AuditEvent
from pki.operators.errors import OperatorError, RemoteFailure
from pki.record.audit_trail import Actor
from tests.iotprov.aws_edge import TIMEOUT, AWSEdge, aws_edge
from tests.iotprov.samples import POLICY, TEMPLATE, template

__all__ = ["aws_edge"]

pytestmark = pytest.mark.django_db

Kind = DocumentVersion.Kind
ALICE = Actor("admin:alice")
HERE = {"account": "123456789012", "region": "eu-central-1", "partition": "aws"}
POLICY_NAME = "est_iot_policy_default"
TEMPLATE_NAME = "est_iot_provisioning_template"
ROLE = "arn:aws:iam::123456789012:role/ESTServerDeviceProvisioningRole"


@pytest.fixture
def target(settings):
    """The one that there is when none is configured."""
    (only,) = settings.IOT.targets
    return only


@pytest.fixture
def iot(aws_edge):
    """AWS IoT, to arrange and to look."""
    return aws_client("iot")


@pytest.fixture
def pushed_policy(aws_edge, target):
    """A target that holds the policy already, as the template wants."""
    push(Kind.POLICY, target, actor=ALICE)
    aws_edge.calls.clear()


def put_policy(topic):
    body = POLICY.replace("messages/", f"{topic}/")
    return add_version(Kind.POLICY, body, actor=ALICE, reason=topic)


def put_template(version):
    body = TEMPLATE.replace('"v1"', f'"{version}"')
    return add_version(Kind.TEMPLATE, body, actor=ALICE, reason=version)


def policy_there(iot):
    return json.loads(iot.get_policy(policyName=POLICY_NAME)["policyDocument"])


def policy_versions(iot):
    rows = iot.list_policy_versions(policyName=POLICY_NAME)["policyVersions"]
    return sorted(int(row["versionId"]) for row in rows)


def template_there(aws_edge):
    held = aws_edge.templates[TEMPLATE_NAME]
    return json.loads(held["versions"][held["default"]])


# Policy


def test_policy_is_made_with_tags_and_put_on_record(iot, aws_edge, target, settings):
    settings.IOT = replace(settings.IOT, tags=(("team", "iot"),))

    outcome = push(Kind.POLICY, target, actor=ALICE)

    assert outcome.line == f"{POLICY_NAME} was made (version 1)."
    assert policy_there(iot) == filled(Kind.POLICY, POLICY, **HERE)
    assert aws_edge.parameters("CreatePolicy")["tags"] == [{"Key": "team", "Value": "iot"}]
    row = DocumentPush.objects.get()
    assert (row.kind, row.name, row.target) == ("policy", POLICY_NAME, "default")
    assert (row.version, row.aws_version, row.error) == (None, "1", "")
    assert row.pushed_at is not None
    assert not row.is_pending(POLICY)
    assert row.is_pending(POLICY + " ")
    event = AuditEvent.objects.get(action="push-iot-policy")
    assert (event.actor, event.target) == ("admin:alice", f"iot-policy:{POLICY_NAME}@default")


def test_policy_that_is_there_already_is_left_alone(aws_edge, target, pushed_policy):
    outcome = push(Kind.POLICY, target, actor=ALICE)

    assert outcome.line == f"{POLICY_NAME} is up to date (version 1)."
    assert not outcome.is_changed
    assert [name for name, _ in aws_edge.calls] == ["GetPolicy", "ListTagsForResource"]
    assert AuditEvent.objects.filter(action="push-iot-policy").count() == 1


@pytest.mark.parametrize("kind", [Kind.POLICY, Kind.TEMPLATE])
def test_T60_a_document_of_another_project_is_refused_even_if_its_text_is_the_same(
    aws_edge, target, pushed_policy, kind
):
    push(Kind.TEMPLATE, target, actor=ALICE)
    names = {Kind.POLICY: POLICY_NAME, Kind.TEMPLATE: TEMPLATE_NAME}
    arns = {
        Kind.POLICY: f"arn:aws:iot:eu-central-1:123456789012:policy/{POLICY_NAME}",
        Kind.TEMPLATE: aws_edge.template_arn(TEMPLATE_NAME),
    }
    aws_edge.tags[arns[kind]] = {MADE_BY: "staging"}
    aws_edge.calls.clear()

    with pytest.raises(OperatorError) as refused:
        push(kind, target, actor=ALICE)

    word = {Kind.POLICY: "policy", Kind.TEMPLATE: "template"}[kind]
    assert str(refused.value).startswith(
        f"The {word} {names[kind]} at default belongs to the project staging"
    )
    assert "Take Properties.iot" in str(refused.value)
    assert not [name for name, _ in aws_edge.calls if name.startswith(("Create", "Update"))]


def test_T60_the_role_of_another_project_is_not_used(aws_edge, target, pushed_policy):
    aws_client("iam").create_role(
        RoleName="ESTServerDeviceProvisioningRole",
        AssumeRolePolicyDocument="{}",
        Tags=[{"Key": MADE_BY, "Value": "staging"}],
    )

    with pytest.raises(OperatorError, match="ProvisioningRole belongs to the project staging"):
        push(Kind.TEMPLATE, target, actor=ALICE)


def test_white_space_and_order_of_keys_are_no_change(iot, aws_edge, target):
    document = filled(Kind.POLICY, POLICY, **HERE)
    text = json.dumps(dict(reversed(document.items())), indent=7)
    iot.create_policy(policyName=POLICY_NAME, policyDocument=text)

    assert not push(Kind.POLICY, target, actor=ALICE).is_changed
    assert diff(Kind.POLICY, target) == ""


def test_sixth_version_of_a_policy_takes_the_place_of_the_oldest(iot, target, pushed_policy):
    for number in range(2, 6):
        put_policy(f"topic{number}")
        assert push(Kind.POLICY, target, actor=ALICE).notes == ()
    assert policy_versions(iot) == [1, 2, 3, 4, 5]

    put_policy("last")
    dry = push(Kind.POLICY, target, actor=ALICE, dry_run=True)
    outcome = push(Kind.POLICY, target, actor=ALICE)

    assert dry.notes == ("AWS keeps 5 versions. The oldest, version 1, would be deleted.",)
    assert outcome.notes == ("AWS keeps 5 versions. The oldest, version 1, was deleted.",)
    assert policy_versions(iot) == [2, 3, 4, 5, 6]
    assert "topic/last/" in json.dumps(policy_there(iot))


def test_oldest_version_stays_when_it_is_in_force(iot, target, pushed_policy):
    for number in range(2, 6):
        put_policy(f"topic{number}")
        push(Kind.POLICY, target, actor=ALICE)
    iot.set_default_policy_version(policyName=POLICY_NAME, policyVersionId="1")

    put_policy("last")
    push(Kind.POLICY, target, actor=ALICE)

    assert policy_versions(iot) == [1, 3, 4, 5, 6]


def test_diff_says_what_a_push_would_change(target, pushed_policy):
    assert diff(Kind.POLICY, target) == ""
    put_policy("telemetry")

    lines = diff(Kind.POLICY, target).splitlines()

    assert lines[0] == f"--- {POLICY_NAME} at default (version 1)"
    assert lines[1] == f"+++ {POLICY_NAME} here"
    arn = "arn:aws:iot:eu-central-1:123456789012"
    own = "${iot:Connection.Thing.ThingName}"
    assert f'-        "{arn}:topic/messages/{own}/*",' in lines
    assert f'+        "{arn}:topic/telemetry/{own}/*",' in lines


@pytest.mark.parametrize("kind", Kind.values)
def test_dry_run_changes_nothing_anywhere(aws_edge, target, kind):
    outcome = push(kind, target, actor=ALICE, dry_run=True)

    assert outcome.is_changed
    assert "would be made" in outcome.line
    assert all("would" in note or "sync_policy first" in note for note in outcome.notes)
    assert outcome.diff.splitlines()[0].endswith("(nothing)")
    assert not [
        name for name, _ in aws_edge.calls if not name.startswith(("Get", "Describe", "List"))
    ]
    assert not DocumentPush.objects.exists()
    assert not AuditEvent.objects.filter(action__startswith="push").exists()


def test_dry_run_of_a_change_names_the_version_that_is_there(target, pushed_policy):
    put_policy("telemetry")

    outcome = push(Kind.POLICY, target, actor=ALICE, dry_run=True)

    assert outcome.line == f"{POLICY_NAME} would change (version 1 now)."
    assert "telemetry" in outcome.diff


def test_document_with_errors_is_pushed_nowhere(aws_edge, target, settings, tmp_path):
    path = tmp_path / "policy.json"
    path.write_text("{}")
    settings.IOT = replace(settings.IOT, policy_path=path)

    for attempt in (
        lambda: push(Kind.POLICY, target, actor=ALICE),
        lambda: push_everywhere(Kind.POLICY, actor=ALICE),
    ):
        with pytest.raises(DocumentError, match='Line 1, column 1: A policy needs "Version"'):
            attempt()
    assert aws_edge.calls == []


# Template


def test_template_is_made_with_its_role_after_its_policy(aws_edge, target, pushed_policy):
    outcome = push(Kind.TEMPLATE, target, actor=ALICE)

    assert outcome.line == f"{TEMPLATE_NAME} was made (version 1)."
    assert outcome.notes == ("The push had to make the role ESTServerDeviceProvisioningRole.",)
    said = aws_edge.parameters("CreateProvisioningTemplate")
    assert (said["type"], said["enabled"], said["provisioningRoleArn"]) == ("JITP", True, ROLE)
    assert json.loads(said["templateBody"]) == filled(Kind.TEMPLATE, TEMPLATE, **HERE)
    assert DocumentPush.objects.get(kind=Kind.TEMPLATE).aws_version == "1"
    event = AuditEvent.objects.get(action="push-iot-template")
    assert event.after["notes"] == [
        "The push had to make the role ESTServerDeviceProvisioningRole."
    ]


def test_template_waits_for_its_policy(aws_edge, target):
    with pytest.raises(OperatorError, match=rf"attaches the policy {POLICY_NAME}, .*sync_policy"):
        push(Kind.TEMPLATE, target, actor=ALICE)

    assert aws_edge.templates == {}
    assert aws_edge.named("CreateRole") == []
    assert "sync_policy" in DocumentPush.objects.get().error


def test_template_that_is_there_already_is_left_alone(aws_edge, target, pushed_policy):
    push(Kind.TEMPLATE, target, actor=ALICE)
    aws_edge.calls.clear()

    outcome = push(Kind.TEMPLATE, target, actor=ALICE)

    assert outcome.line == f"{TEMPLATE_NAME} is up to date (version 1)."
    assert not outcome.is_changed
    assert not [
        name for name, _ in aws_edge.calls if not name.startswith(("Get", "Describe", "List"))
    ]


def test_sixth_version_of_a_template_takes_the_place_of_the_oldest(aws_edge, target, pushed_policy):
    for number in range(1, 6):
        put_template(f"w{number}")
        push(Kind.TEMPLATE, target, actor=ALICE)

    put_template("w6")
    outcome = push(Kind.TEMPLATE, target, actor=ALICE)

    assert outcome.notes == ("AWS keeps 5 versions. The oldest, version 1, was deleted.",)
    assert sorted(aws_edge.templates[TEMPLATE_NAME]["versions"]) == [2, 3, 4, 5, 6]
    attributes = template_there(aws_edge)["Resources"]["thing"]["Properties"]["AttributePayload"]
    assert attributes["version"] == "w6"


def test_template_of_another_role_or_switched_off_is_set_right(aws_edge, target, pushed_policy):
    push(Kind.TEMPLATE, target, actor=ALICE)
    aws_edge.templates[TEMPLATE_NAME] |= {
        "enabled": False,
        "provisioningRoleArn": "arn:aws:iam::123456789012:role/other",
    }

    dry = push(Kind.TEMPLATE, target, actor=ALICE, dry_run=True)
    assert dry.notes == (f"The template would be enabled, with the role {ROLE}.",)
    assert not aws_edge.templates[TEMPLATE_NAME]["enabled"]

    outcome = push(Kind.TEMPLATE, target, actor=ALICE)
    assert outcome.is_changed
    assert outcome.notes == (f"The template was enabled, with the role {ROLE}.",)
    assert aws_edge.templates[TEMPLATE_NAME]["enabled"]
    assert aws_edge.templates[TEMPLATE_NAME]["provisioningRoleArn"] == ROLE


def test_template_of_fleet_provisioning_is_not_touched(aws_edge, target, pushed_policy):
    push(Kind.TEMPLATE, target, actor=ALICE)
    aws_edge.templates[TEMPLATE_NAME]["type"] = "FLEET_PROVISIONING"
    put_template("w2")

    with pytest.raises(OperatorError, match="is a FLEET_PROVISIONING template"):
        push(Kind.TEMPLATE, target, actor=ALICE)


def test_new_role_is_given_time_until_aws_iot_can_assume_it(
    aws_edge, target, pushed_policy, monkeypatch
):
    pauses = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    aws_edge.fail("CreateProvisioningTemplate", "InvalidRequestException", times=2)

    push(Kind.TEMPLATE, target, actor=ALICE)

    assert pauses == [3, 6]
    assert TEMPLATE_NAME in aws_edge.templates


def test_role_that_was_there_is_not_waited_for(aws_edge, target, pushed_policy):
    push(Kind.TEMPLATE, target, actor=ALICE)
    aws_edge.templates.clear()
    aws_edge.fail("CreateProvisioningTemplate", "InvalidRequestException")

    with pytest.raises(RemoteFailure, match="InvalidRequestException"):
        push(Kind.TEMPLATE, target, actor=ALICE)


# What goes wrong

POLICY_CALLS = ("GetPolicy", "CreatePolicy")
POLICY_CHANGE_CALLS = (
    "GetPolicy",
    "ListPolicyVersions",
    "DeletePolicyVersion",
    "CreatePolicyVersion",
)
TEMPLATE_CALLS = (
    "DescribeProvisioningTemplate",
    "GetPolicy",
    "GetRole",
    "CreateRole",
    "AttachRolePolicy",
    "CreateProvisioningTemplate",
)
TEMPLATE_CHANGE_CALLS = (
    "DescribeProvisioningTemplate",
    "GetRole",
    "ListAttachedRolePolicies",
    "ListProvisioningTemplateVersions",
    "DeleteProvisioningTemplateVersion",
    "CreateProvisioningTemplateVersion",
    "UpdateProvisioningTemplate",
)
FAULTS = (
    {"code": TIMEOUT},
    {"code": "ThrottlingException", "status": 429},
    {"code": "InternalFailureException", "status": 500},
    {"code": "AccessDeniedException", "status": 403},
)


def push_through_faults(aws_edge, kind, target, call, body):
    """Push while ``call`` fails in every way there is; last, where we can, its answer is lost."""
    is_ours = "ProvisioningTemplate" in call  # moto can't do the work and fail
    for fault in (*FAULTS, *([{"code": TIMEOUT, "worked": True}] if is_ours else [])):
        aws_edge.fail(call, **fault)
        with pytest.raises(RemoteFailure, match=f":{call} failed with ") as raised:
            push(kind, target, actor=ALICE)
        row = DocumentPush.objects.get(kind=kind)
        assert row.error == str(raised.value)
        assert row.is_pending(body)
    push(kind, target, actor=ALICE)
    row = DocumentPush.objects.get(kind=kind)
    assert row.error == ""
    assert not row.is_pending(body)


@pytest.mark.parametrize("call", POLICY_CALLS)
def test_new_policy_arrives_after_any_fault(aws_edge, iot, target, call):
    push_through_faults(aws_edge, Kind.POLICY, target, call, POLICY)

    assert policy_versions(iot) == [1]


@pytest.mark.parametrize("call", POLICY_CHANGE_CALLS)
def test_changed_policy_arrives_after_any_fault(aws_edge, iot, target, pushed_policy, call):
    for number in range(2, 6):
        put_policy(f"topic{number}")
        push(Kind.POLICY, target, actor=ALICE)
    version = put_policy("last")

    push_through_faults(aws_edge, Kind.POLICY, target, call, version.body)

    assert policy_versions(iot) == [2, 3, 4, 5, 6]
    assert "topic/last/" in json.dumps(policy_there(iot))
    assert DocumentPush.objects.get().version == version


@pytest.mark.parametrize("call", TEMPLATE_CALLS)
def test_new_template_arrives_after_any_fault(aws_edge, target, pushed_policy, call):
    push_through_faults(aws_edge, Kind.TEMPLATE, target, call, TEMPLATE)

    assert list(aws_edge.templates[TEMPLATE_NAME]["versions"]) == [1]
    assert template_there(aws_edge) == filled(Kind.TEMPLATE, TEMPLATE, **HERE)


@pytest.mark.parametrize("call", TEMPLATE_CHANGE_CALLS)
def test_changed_template_arrives_after_any_fault(aws_edge, target, pushed_policy, call):
    for number in range(1, 6):
        put_template(f"w{number}")
        push(Kind.TEMPLATE, target, actor=ALICE)
    aws_edge.templates[TEMPLATE_NAME]["enabled"] = False
    version = put_template("w6")

    push_through_faults(aws_edge, Kind.TEMPLATE, target, call, version.body)

    assert template_there(aws_edge) == filled(Kind.TEMPLATE, version.body, **HERE)
    assert sorted(aws_edge.templates[TEMPLATE_NAME]["versions"]) == [2, 3, 4, 5, 6]
    assert aws_edge.templates[TEMPLATE_NAME]["enabled"]


def test_policy_that_somebody_else_makes_at_the_same_time_is_taken_if_it_is_the_same(
    aws_edge, iot, target
):
    text = json.dumps(filled(Kind.POLICY, POLICY, **HERE))
    iot.create_policy(policyName=POLICY_NAME, policyDocument=text)
    aws_edge.fail("GetPolicy", "ResourceNotFoundException", status=404)

    assert push(Kind.POLICY, target, actor=ALICE).aws_version == "1"


def test_policy_that_somebody_else_makes_at_the_same_time_is_not_written_over(
    aws_edge, iot, target
):
    iot.create_policy(policyName=POLICY_NAME, policyDocument="{}")
    aws_edge.fail("GetPolicy", "ResourceNotFoundException", status=404)

    with pytest.raises(RemoteFailure, match="ResourceAlreadyExistsException"):
        push(Kind.POLICY, target, actor=ALICE)
    assert policy_there(iot) == {}


# Several targets


@pytest.fixture
def three_targets(aws_edge, settings):
    """Three regions of one account; returns the edge of the second."""
    targets = [
        IoTTarget("ireland", "eu-west-1"),
        IoTTarget("virginia", "us-east-1"),
        IoTTarget("tokyo", "ap-northeast-1"),
    ]
    settings.IOT = replace(settings.IOT, targets=tuple(targets))
    edges = [AWSEdge().serve(target.place) for target in targets]
    return edges[1]


def targets_behind():
    """The targets that lack the policy in force, as the pages and commands show it."""
    states = target_states(Kind.POLICY, body_in_force(Kind.POLICY))
    return [state.target for state in states if state.agreement is not Agreement.IN_SYNC]


def test_target_that_fails_keeps_no_other_waiting(three_targets):
    three_targets.fail("CreatePolicy", "AccessDeniedException", status=403)

    assert targets_behind() == ["ireland", "virginia", "tokyo"]
    outcomes = push_everywhere(Kind.POLICY, actor=ALICE)

    assert targets_behind() == ["virginia"]
    assert [outcome.target for outcome in outcomes] == ["ireland", "virginia", "tokyo"]
    assert [bool(outcome.failure) for outcome in outcomes] == [False, True, False]
    assert "iot:CreatePolicy at virginia failed with AccessDeniedException" in outcomes[1].line
    errors = dict(DocumentPush.objects.values_list("target", "error"))
    assert errors == {"ireland": "", "virginia": outcomes[1].line, "tokyo": ""}

    again = push_everywhere(Kind.POLICY, actor=ALICE)
    assert [outcome.is_changed for outcome in again] == [False, True, False]
    assert targets_behind() == []
    assert not DocumentPush.objects.exclude(error="").exists()


def test_each_target_gets_its_own_region(three_targets):
    push_everywhere(Kind.POLICY, actor=ALICE)

    for region in ("eu-west-1", "us-east-1", "ap-northeast-1"):
        there = json.dumps(policy_there(aws_client("iot", AWSLocation(region))))
        assert f"arn:aws:iot:{region}:123456789012:client/" in there


def test_document_that_filling_makes_too_long_is_refused_for_that_target_only(
    three_targets, settings, tmp_path
):
    attributes = {f"a{number}": "<REGION>" * 57 for number in range(16)}
    path = tmp_path / "template.json"
    path.write_text(template(thing={"AttributePayload": attributes, "ThingTypeName": "t"}))
    settings.IOT = replace(settings.IOT, template_path=path)
    push_everywhere(Kind.POLICY, actor=ALICE)

    outcomes = push_everywhere(Kind.TEMPLATE, actor=ALICE)

    assert [bool(outcome.failure) for outcome in outcomes] == [False, False, True]
    assert "characters. AWS IoT takes 10,240" in outcomes[2].line
    assert outcomes[2].line == DocumentPush.objects.get(kind="template", target="tokyo").error
