"""Every call that iotprov makes is among the rights of the function that makes it."""

import re
from pathlib import Path

import pytest

import iotprov
from estserver.deploy.recipe import function_policy
from tests.estserver.deploy.rights.test_deployer import action_of, actions
from tests.estserver.deploy.rights.test_functions import MODES

PREPARED = {"iam:CreateRole", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"}
"""For the role of another account; here whoever deploys has made it."""
RENEWING = {
    "iot:RegisterCertificate",
    "iot:DescribeCertificate",
    "iot:ListPrincipalThingsV2",
    "iot:ListAttachedPolicies",
    "iot:AttachPolicy",
    "iot:AttachThingPrincipal",
}


def named_calls():
    """What the source names: "iot", "GetPolicy" of `calling`, "get_thing" of a Registry."""
    found = set()
    for path in Path(iotprov.__file__).parent.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        for service, operation in re.findall(r'"(iot|iam)",\s+"([A-Z]\w+)"', source):
            found.add(f"{service}:{operation}")
        for method in re.findall(r'\.(?:call|list_all)\(\s*"(\w+)"', source):
            found.add(f"iot:{method.title().replace('_', '')}")
    return found


@pytest.mark.parametrize("mode", ["register-kms", "jitp-secretsmanager"])
def test_the_people_side_may_do_all_that_iotprov_does(configured, mode):
    calls = named_calls() - PREPARED
    assert len(calls) > 30

    allowed = actions(function_policy(configured(MODES[mode]), "admin"))
    assert {call for call in calls if action_of(call) not in allowed} == set()


@pytest.mark.parametrize("mode", ["register-kms", "jitp-secretsmanager"])
def test_the_device_side_may_renew_within_the_request(configured, mode):
    allowed = actions(function_policy(configured(MODES[mode]), "est"))

    assert {call for call in RENEWING if action_of(call) not in allowed} == set()
