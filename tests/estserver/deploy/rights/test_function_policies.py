"""Statements of the configuration's own for the functions' roles, so that hooks can call AWS."""

import json

import pytest

from estserver.deploy.deployment import check_deployment
from estserver.deploy.engine.runs import intentions
from estserver.deploy.lifecycle.deploy import print_calls
from estserver.deploy.recipe import function_policy, function_role
from pki.operators.errors import OperatorError
from tests.estserver.deploy.account import CONFIG
from tests.estserver.deploy.iam.decisions import Request, is_allowed

TABLE = "arn:aws:dynamodb:eu-central-1:123456789012:table/devices"
ASKING = {
    "Sid": "AskInventory",
    "Effect": "Allow",
    "Action": "dynamodb:GetItem",
    "Resource": TABLE,
}


@pytest.fixture
def with_file(configured, tmp_path):
    """A deployment whose configuration names a file with this content."""

    def configure(content):
        path = tmp_path / "policies.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        line = f"DeploymentOptions:\n  functionPoliciesPath: {path}"
        return configured(CONFIG.replace("DeploymentOptions:", line))

    return configure


def may(deployment, stage, action, resource=TABLE):
    return is_allowed(Request(action, resource), [function_policy(deployment, stage)])


def test_a_hook_of_the_stage_that_the_file_names_may_call_what_the_file_allows(with_file):
    deployment = with_file({"est": [ASKING]})

    assert may(deployment, "est", "dynamodb:GetItem")
    assert not may(deployment, "est", "dynamodb:PutItem")
    assert not may(deployment, "admin", "dynamodb:GetItem")


def test_a_denial_of_the_file_takes_a_right_from_the_functions(with_file):
    anywhere = {"Effect": "Deny", "NotAction": ["logs:*", "lambda:*"], "Resource": "*"}
    thing = "arn:aws:iot:eu-central-1:123456789012:thing/pump"
    deployment = with_file({"admin": [{**anywhere, "Action": "iot:*"}]})
    with pytest.raises(OperatorError, match="needs either Action or NotAction"):
        function_policy(deployment, "admin")

    deployment = with_file({"admin": [anywhere]})

    assert not may(deployment, "admin", "iot:DescribeThing", thing)
    assert may(with_file({}), "admin", "iot:DescribeThing", thing)


def test_the_plan_shows_what_is_added_and_which_wildcards_to_review(aws_cloud, with_file, said):
    wide = {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "*"}
    deployment = with_file({"est": [ASKING, wide]})

    print_calls(intentions([function_role(deployment, "est")]), said)

    assert "functionPoliciesPath adds AskInventory, Added2 to it" in said.text
    assert "review this wildcard: Added2 allows s3:Get* on *" in said.text
    assert "AskInventory allows" not in said.text
    assert "dynamodb:GetItem" in said.text


def test_a_statement_that_is_added_or_taken_out_changes_the_role(
    aws_cloud, configured, with_file, bring
):
    role = "role est-server-est-eu-central-1"
    assert bring(function_role(configured(), "est")) == [role]
    assert bring(function_role(with_file({"est": [ASKING]}), "est")) == [role]
    assert bring(function_role(with_file({"est": [ASKING]}), "est")) == []
    assert bring(function_role(configured(), "est")) == [role]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("{", "is not JSON"),
        ([], "holds no JSON object"),
        ({"device": []}, "There is no stage 'device', only est and admin."),
        ({"est": ASKING}, "est is not a list of statements."),
        ({"est": ["s3:*"]}, "Statement 1 of est is not a JSON object."),
        ({"est": [{**ASKING, "Action": "*"}]}, "allows *; an action is written service:Name"),
        ({"est": [{**ASKING, "Action": "*:*"}]}, "allows *:*; an action is written service:Name"),
        ({"est": [{**ASKING, "Action": []}]}, "neither a text nor a list of texts"),
        ({"est": [{**ASKING, "Principal": "*"}]}, "has Principal, and only Action, Condition"),
        ({"est": [{**ASKING, "Effect": "Maybe"}]}, "has no Effect Allow or Deny"),
        ({"est": [{**ASKING, "Sid": "a-b"}]}, "other characters than letters and digits"),
        ({"est": [ASKING, ASKING]}, "several statements with the Sid AskInventory"),
        (
            {"est": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]},
            "allows everything but its NotAction",
        ),
    ],
)
def test_T63_a_file_that_allows_everything_or_says_nothing_is_refused(with_file, content, problem):
    deployment = with_file(content)

    for refused in (lambda: check_deployment(deployment), lambda: may(deployment, "est", "a:B")):
        with pytest.raises(OperatorError) as caught:
            refused()
        assert problem in str(caught.value)


def test_a_file_that_is_missing_or_goes_not_together_with_the_rest_is_refused(
    with_file, configured
):
    with pytest.raises(OperatorError, match="a statement of the EST server is called so"):
        function_policy(with_file({"est": [{**ASKING, "Sid": "ReadSecrets"}]}), "est")
    many = [{**ASKING, "Sid": f"Ask{number}", "Resource": TABLE * 5} for number in range(40)]
    with pytest.raises(OperatorError, match="and IAM takes 10240"):
        function_policy(with_file({"est": many}), "est")
    line = "DeploymentOptions:\n  functionPoliciesPath: nowhere.json"
    with pytest.raises(OperatorError, match="cannot be read"):
        check_deployment(configured(CONFIG.replace("DeploymentOptions:", line)))
