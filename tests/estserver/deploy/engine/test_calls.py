"""Calls as data: what is shown, what is paced, what is tried again."""

import json

import pytest
from botocore.stub import Stubber

from estserver.deploy.engine.calls import Answer, Call, ask, ask_if_any
from estserver.deploy.engine.compare import covers, same_policy
from estserver.deploy.engine.performer import PACES
from pki.aws.clients import aws_client
from pki.operators.errors import RemoteFailure


@pytest.fixture
def stubbed(aws_cloud):
    """A stubbed client, as the calls will use it."""
    made = []

    def stub(service):
        stubber = Stubber(aws_client(service, read_timeout=60))
        stubber.activate()
        made.append(stubber)
        return stubber

    yield stub
    for stubber in made:
        stubber.deactivate()
        stubber.assert_no_pending_responses()


def domain_call(name):
    change = {"op": "replace", "path": "/securityPolicy", "value": "TLS_1_2"}
    return Call(
        "apigateway",
        "UpdateDomainName",
        "a test",
        {"domainName": name, "patchOperations": [change]},
    )


def test_a_secret_parameter_is_never_shown():
    call = Call(
        "lambda",
        "UpdateFunctionConfiguration",
        "why",
        {"FunctionName": "f", "Environment": {"Variables": {"DATABASE_URL": "hunter2"}}},
        secret=frozenset({"Environment"}),
    )

    assert str(call) == (
        'lambda:UpdateFunctionConfiguration {"FunctionName": "f", "Environment": "(not shown)"}'
    )
    assert "hunter2" not in repr(call)


def test_contents_are_shown_by_their_length_and_answers_by_their_name():
    call = Call(
        "s3",
        "PutObject",
        "why",
        {"Body": b"abc", "Key": Answer("kms:CreateKey", "KeyMetadata.KeyId")},
    )

    assert "(3 bytes)" in str(call)
    assert "<KeyMetadata.KeyId of kms:CreateKey>" in str(call)


def test_domain_calls_are_thirty_seconds_apart_and_say_so(stubbed, performer, clock, said):
    stub = stubbed("apigateway")
    for _ in range(3):
        stub.add_response("update_domain_name", {})

    for name in ("a.example", "b.example"):
        performer.perform(domain_call(name))
    clock.time += 12
    performer.perform(domain_call("c.example"))

    assert clock.slept == [30, 18]
    assert said.lines[0] == "  waiting 30 s: API Gateway takes one UpdateDomainName in 30 s"


def test_each_kind_of_call_has_a_pace_of_its_own(stubbed, performer, clock):
    stub = stubbed("apigateway")
    stub.add_response("update_domain_name", {})
    stub.add_response("delete_domain_name", {})

    performer.perform(domain_call("a.example"))
    performer.perform(Call("apigateway", "DeleteDomainName", "a test", {"domainName": "b.example"}))

    assert clock.slept == []
    assert PACES["apigateway:CreateDeployment"] == 5
    assert PACES["apigateway:UpdateAccount"] == 20


def test_a_throttled_call_waits_its_pace_and_is_made_again(stubbed, performer, clock, said):
    stub = stubbed("apigateway")
    stub.add_client_error("update_domain_name", "TooManyRequestsException", http_status_code=429)
    stub.add_response("update_domain_name", {"domainName": "a.example"})

    assert performer.perform(domain_call("a.example")) == {"domainName": "a.example"}
    assert clock.slept == [30]
    assert "TooManyRequestsException" in said.text


def test_a_role_that_nobody_knows_yet_is_waited_for(stubbed, performer, clock):
    stub = stubbed("apigateway")
    stub.add_client_error(
        "update_account",
        "BadRequestException",
        "The role ARN does not have required permissions configured.",
    )
    stub.add_response("update_account", {})

    performer.perform(Call("apigateway", "UpdateAccount", "a test", {"patchOperations": []}))

    assert clock.slept[0] == 5


def test_what_is_refused_for_good_is_raised_at_once(stubbed, performer, clock):
    stubbed("apigateway").add_client_error("update_domain_name", "AccessDeniedException")

    with pytest.raises(RemoteFailure, match="Allow the role or user of this process to call"):
        performer.perform(domain_call("a.example"))
    assert clock.slept == []


def test_an_answer_becomes_a_parameter_of_a_later_call(aws_cloud, performer):
    performer.perform(Call("kms", "CreateKey", "a test"))
    key_id: object = Answer("kms:CreateKey", "KeyMetadata.KeyId")
    performer.perform(
        Call("kms", "CreateAlias", "a test", {"AliasName": "alias/x", "TargetKeyId": key_id})
    )

    assert ask("kms", "DescribeKey", KeyId="alias/x")["KeyMetadata"]["Enabled"] is True


def test_what_isnt_there_is_told_from_what_may_not_be_seen(stubbed):
    stub = stubbed("apigateway")
    stub.add_client_error("get_domain_name", "NotFoundException")
    stub.add_client_error("get_domain_name", "AccessDeniedException")

    assert ask_if_any("apigateway", "GetDomainName", domainName="a") is None
    with pytest.raises(RemoteFailure):
        ask_if_any("apigateway", "GetDomainName", domainName="a")


def test_fields_that_aws_adds_are_no_difference():
    assert covers({"a": [{"b": 1, "more": 2}], "c": 3}, {"a": [{"b": 1}]})
    assert not covers({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}]})
    assert not covers({}, {"a": 1})


def test_a_policy_is_known_again_as_api_gateway_gives_it_back():
    """Escaped once more, lists of one unwrapped."""
    given_back = r"{\"Statement\":[{\"Action\":\"a\",\"Resource\":\"r\"},{\"Action\":\"b\"}]}"
    ours = {"Statement": [{"Action": ["a"], "Resource": "r"}, {"Action": "b"}]}

    assert same_policy(given_back, ours)
    assert not same_policy(given_back, None)
    assert same_policy("", None)


def test_a_document_is_shown_as_json_that_one_can_read():
    policy = json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:GetObject"}]})
    changes = [{"op": "replace", "path": "/policy", "value": policy}]

    put = Call("iam", "PutRolePolicy", "it differs", {"RoleName": "est", "PolicyDocument": policy})
    update = Call("apigateway", "UpdateRestApi", "it differs", {"patchOperations": changes})

    name, _, shown = put.in_full.partition(" ")
    assert name == "iam:PutRolePolicy"
    assert json.loads(shown)["PolicyDocument"] == json.loads(policy)
    assert '        "Action": "s3:GetObject"' in shown.splitlines()
    assert "\\" not in put.in_full + update.in_full


def test_a_call_without_a_document_stays_in_one_line_and_secrets_stay_hidden():
    secret = json.dumps({"password": "swordfish"})
    kept = Call("x", "Y", "because", {"Value": secret, "Other": "{no json"}, frozenset({"Value"}))

    assert kept.in_full == str(kept)
    assert "swordfish" not in kept.in_full
