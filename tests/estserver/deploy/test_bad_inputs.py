"""What goes wrong at an operator's first try: the step, why, what to do, what is done already.

Each time the next run, once that is mended, goes on where the first one stopped.
"""

import io
from collections import Counter

import pytest
from django.core.management import CommandError, call_command

from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.runs import StepFailed, carry_out, intentions, take_away
from estserver.deploy.front_door.domain import CustomDomain
from estserver.deploy.lifecycle import deploy
from estserver.deploy.lifecycle.status import status
from estserver.deploy.recipe import finishing, preparation, removable
from estserver.deploy.truststore.steps import FirstTruststore
from pki.aws.clients import aws_client
from tests.estserver.deploy import moto_gaps
from tests.estserver.deploy.account import ACM, CONFIG, DOMAIN, zappa_deploy
from tests.support.aws_faults import Refusal, aws_calls, failing

pytestmark = pytest.mark.django_db(transaction=True)

AGAIN = "run the command again. It goes on from here."
ELSEWHERE = "arn:aws:acm:us-east-1:123456789012:certificate/1"
QUIET = CONFIG.replace("DeploymentOptions:", "  iotProvisioning: none\nDeploymentOptions:").replace(
    "  tags:", "  configureJITP: false\n  tags:"
)


def buckets():
    return [bucket["Name"] for bucket in aws_client("s3").list_buckets()["Buckets"]]


def fails(steps, performer):
    """How carrying the steps out ends."""
    with pytest.raises(StepFailed) as caught:
        carry_out(steps, performer)
    return str(caught.value)


# Certificates


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (f"  apiCertificateArn: {ACM}/est\n", "", "apiCertificateArn is not set"),
        (f"{ACM}/est", ELSEWHERE, "apiCertificateArn is a certificate in us-east-1"),
        (f"  adminCertificateArn: {ACM}/admin\n", "", "adminCertificateArn is not set"),
    ],
)
def test_a_certificate_that_is_missing_or_elsewhere_stops_before_anything_is_made(
    aws_cloud, configured, said, clock, old, new, why
):
    configured(CONFIG.replace(old, new))

    with pytest.raises(CommandError, match=why) as caught:
        call_command("aws_deploy", "--prepare", stdout=io.StringIO())

    assert caught.value.returncode == 1
    assert str(caught.value).endswith(
        "Nothing is done yet. Correct the configuration or the account, and run the command again."
    )
    assert buckets() == []
    configured()
    assert deploy.prepare(say=said, clock=clock).changed


def test_status_names_a_certificate_that_is_missing_or_elsewhere(aws_cloud, configured):
    text = CONFIG.replace(f"{ACM}/est", ELSEWHERE).replace(
        f"  adminCertificateArn: {ACM}/admin\n", ""
    )

    rows = {row.name: row for row in status(configured(text), [])}

    est, admin = rows["apiCertificateArn"], rows["adminCertificateArn"]
    assert (est.level, est.finding) == ("FAIL", "a certificate of another region")
    assert (admin.level, admin.finding) == ("FAIL", "not set")
    assert admin.advice == "Set Properties.adminCertificateArn."


# Names that somebody else has


def test_a_domain_that_is_taken_says_so_and_what_is_done(deployment, installation, live, performer):
    live(deployment, "admin")
    live(deployment, "est")
    carry_out(preparation(deployment), performer)
    steps = finishing(deployment, "est")

    with failing("apigateway", "CreateDomainName", Refusal("ConflictException", 409)):
        text = fails(steps, performer)

    assert f", est: domain {DOMAIN}: apigateway:CreateDomainName failed with Conflict" in text
    assert "in use, perhaps in another account of yours. Delete it there, or choose" in text
    assert "Done already: est: function and API, est: environment, WAF, est: lockdown" in text
    assert text.endswith(AGAIN)
    changed = carry_out(steps, performer).changed
    assert changed[0] == f"est: domain {DOMAIN}"


def test_a_bucket_of_another_account_is_no_place_for_a_truststore(deployment, performer):
    steps = preparation(deployment)

    with failing("s3", "HeadBucket", Refusal("403", 403)), aws_calls() as calls:
        text = fails(steps, performer)

    assert text.startswith("Step 2 of 15, S3 log bucket: The bucket est-server-s3-logs-")
    assert "belongs to another account, or you may not see it. Choose another name" in text
    assert "Done already: names in the account. Mend that" in text
    assert text.endswith(AGAIN)
    looking = {"secretsmanager:DescribeSecret", "iot:ListTagsForResource"}
    assert {*calls} - looking == {"s3:HeadBucket"}
    assert carry_out(steps, performer).changed[0] == "S3 log bucket"


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (
            "BucketAlreadyExists",
            "Another account has a bucket of that name. Choose another name in",
        ),
        ("BucketAlreadyOwnedByYou", "It was made a moment ago, perhaps by another run."),
    ],
)
def test_a_bucket_that_somebody_makes_meanwhile_is_explained(deployment, performer, code, advice):
    with failing("s3", "CreateBucket", Refusal(code, 409)):
        text = fails(preparation(deployment), performer)

    assert f"s3:CreateBucket failed with {code}" in text
    assert advice in text
    assert text.endswith(AGAIN)


# CloudFormation


def test_a_stack_that_was_rolled_back_is_named_with_the_way_out(
    deployment, live, installation, said, clock
):
    live(deployment, "admin")
    live(deployment, "est")
    moto_gaps.set_stack_status("est-server-est", "ROLLBACK_COMPLETE")

    steps = finishing(deployment, "est")

    text = fails(steps, Performer(said, clock))

    assert text.startswith(
        f"Step 1 of {len(steps)}, est: function and API: The stack est-server-est is in "
        "ROLLBACK_COMPLETE"
    )
    assert "run zappa undeploy est, then zappa deploy est. Nothing is done yet." in text
    rows = status(deployment, steps[:1])
    assert (rows[0].level, "ROLLBACK_COMPLETE" in rows[0].finding) == ("FAIL", True)


# Removing


def test_every_call_that_removes_is_on_the_list_before(
    aws_cloud, configured, installation, said, clock
):
    deployment = configured(QUIET)
    aws_client("route53").create_hosted_zone(Name="example.com", CallerReference="1")
    deploy.prepare(say=said, clock=clock)
    for stage in ("admin", "est"):
        zappa_deploy(deployment, stage)
        deploy.finish(stage, say=said, clock=clock)
    steps = removable(deployment)
    intended = intentions(list(reversed(steps)), removing=True)
    listed = Counter(call.name for each in intended for call in each.calls)

    with aws_calls() as calls:
        take_away(steps, Performer(said, clock))

    reading = ("Get", "Head", "List", "Describe")
    named = [call.replace("monitoring:", "cloudwatch:") for call in calls]  # as botocore has it
    made = Counter(call for call in named if not call.split(":")[1].startswith(reading))
    assert made == listed
    assert made["s3:DeleteBucket"] == 3
    assert CustomDomain(deployment, deployment.domains[0]).look().held == {}
    assert FirstTruststore(deployment).look() == ""
