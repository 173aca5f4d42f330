"""The whole way: prepare, what Zappa does, finish, look, take away."""

import json

import pytest

from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.runs import StepFailed, carry_out, intentions, take_away
from estserver.deploy.lifecycle.status import status
from estserver.deploy.recipe import everything, finishing, preparation, removable
from estserver.deploy.resources.roles.deployment_roles import provisioning_role
from estserver.deploy.resources.watching.topic import own_topic
from estserver.deploy.truststore.pushes import record_first_activation
from estserver.operations.report_rows import exit_code
from pki.aws.clients import aws_client
from pki.operators.errors import RemoteFailure, remote_failure
from tests.estserver.deploy.account import DOMAIN, TESTER, world, zappa_deploy

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def zone(aws_cloud):
    made = aws_client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
    return made["HostedZone"]["Id"].removeprefix("/hostedzone/")


@pytest.fixture
def deployed(deployment, installation, zone, performer, said):
    carry_out(preparation(deployment), performer)
    for stage in ("admin", "est"):
        zappa_deploy(deployment, stage)
        carry_out(finishing(deployment, stage), performer)
    record_first_activation(deployment, actor=TESTER)
    return deployment


def test_a_second_run_changes_nothing(deployed, performer):
    outcome = carry_out(everything(deployed), performer)

    assert outcome.changed == ()
    assert intentions(everything(deployed)) == []


def test_a_dry_run_of_everything_changes_nothing(deployment, installation, zone):
    before = world()

    intended = intentions(everything(deployment))

    assert world() == before
    assert sum(len(each.calls) for each in intended) > 30


def test_status_after_a_deployment_is_ok_but_for_the_certificates_that_moto_lacks(deployed):
    someone = {"Protocol": "https", "Endpoint": "https://night.example.com"}
    aws_client("sns").subscribe(TopicArn=own_topic(deployed), **someone)

    rows = status(deployed, everything(deployed))

    found = [row for row in rows if row.level != "OK" and not row.name.endswith("CertificateArn")]
    # The configuration of these tests has no adminAllowedNetworks.
    assert [(row.level, row.name) for row in found] == [("WARN", "admin: lockdown")]


def test_a_failure_in_the_middle_says_what_is_done_and_the_next_run_goes_on(
    deployment, installation, zone, said, clock, monkeypatch
):
    steps = preparation(deployment)
    broken = Performer(said, clock)
    perform = broken.perform

    def fail_at_the_key(call):
        if call.operation == "CreateAlias":
            raise RemoteFailure(call.name, "AccessDeniedException", "no", "Ask for the right.")
        return perform(call)

    broken.perform = fail_at_the_key
    with pytest.raises(StepFailed) as caught:
        carry_out(steps, broken)

    assert remote_failure(caught.value)
    assert str(caught.value) == (
        "Step 6 of 15, KMS key for secrets: kms:CreateAlias failed with AccessDeniedException: no. "
        "Ask for the right. Done already: names in the account, S3 log bucket, truststore bucket, "
        "package bucket, audit heads bucket. Mend that, and run the command again. It goes on from "
        "here."
    )
    outcome = carry_out(steps, Performer(said, clock))
    assert outcome.changed[0] == "KMS key for secrets"


def test_destroying_leaves_what_was_there_before(deployment, installation, zone, performer, said):
    aws_client("s3").create_bucket(
        Bucket="somebody-elses", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    aws_client("logs").create_log_group(logGroupName="/aws/lambda/other")
    before = world()
    carry_out(preparation(deployment), performer)
    for stage in ("admin", "est"):
        zappa_deploy(deployment, stage)
        carry_out(finishing(deployment, stage), performer)

    gone = take_away(removable(deployment, with_audit_heads=True), performer)

    assert {f"est: domain {DOMAIN}", "WAF", "truststore bucket"} <= set(gone)
    # AWS IoT may still work with it, and goes with --with-iot.
    for_iot = provisioning_role(deployment)
    assert world() == before | {"roles": [*before["roles"], for_iot.role]}
    take_away([for_iot], performer)
    assert world() == before
    assert take_away(removable(deployment, with_audit_heads=True), performer) == ()


def test_destroying_begins_with_a_list_and_removes_nothing_before(deployed):
    before = world()

    intended = intentions(list(reversed(removable(deployed))), removing=True)

    assert world() == before
    assert len(intended) > 15


def test_status_names_what_somebody_changed(deployed):
    aws_client("s3").put_public_access_block(
        Bucket=deployed.truststore_bucket,
        PublicAccessBlockConfiguration={"BlockPublicAcls": False},
    )
    everything_in_iot = {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
    aws_client("iam").put_role_policy(
        RoleName=deployed.role("est"),
        PolicyName="by-hand",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [everything_in_iot]}),
    )

    rows = {row.name: row for row in status(deployed, everything(deployed))}

    assert rows["truststore bucket"].level == "FAIL"
    assert rows["truststore bucket"].finding == "public access is not blocked"
    role = rows[f"role {deployed.role('est')}"]
    assert role.finding == "the policy by-hand gives it more rights"
    assert exit_code(list(rows.values())) == 1
