"""What a deployment would fail at, said all at once and before anything is made."""

import io
import sys

import pytest
from django.core.management import CommandError, call_command

from estserver.deploy.account.problems import account_notes, account_problems, covers
from estserver.deploy.deployment import check_deployment, current_deployment
from pki.aws.clients import aws_client
from pki.operators.errors import OperatorError
from tests.estserver.deploy import moto_gaps, moto_lambda
from tests.estserver.deploy.account import ACM, CONFIG, DOMAIN, WITHOUT_DATABASE

pytestmark = pytest.mark.django_db(transaction=True)


def check():
    deployment = current_deployment()
    check_deployment(deployment, also=account_problems(deployment))


def refusal():
    with pytest.raises(OperatorError) as caught:
        check()
    return str(caught.value)


def test_what_can_be_deployed_is_not_refused(deployment):
    check()


def test_every_problem_is_named_at_once_and_nothing_is_made(aws_cloud, configured, monkeypatch):
    monkeypatch.setitem(moto_lambda.executions, "UnreservedConcurrentExecutions", 0)
    text = CONFIG.replace(f"{ACM}/est", f"{ACM}/gone").replace(
        "  deviceCaSigner: secretsmanager", "  deviceCaSigner: keyfile"
    )
    configured(
        text.replace("DeploymentOptions:", "  enrollmentHookClass: absent.Hook\nDeploymentOptions:")
    )
    moto_gaps.issue_certificate(f"{ACM}/admin", "other.example.com", status="PENDING_VALIDATION")

    with pytest.raises(CommandError) as caught:
        call_command("aws_deploy", stdout=io.StringIO())

    lines = str(caught.value).splitlines()
    assert caught.value.returncode == 1
    assert lines[0] == "This cannot be deployed:"
    assert lines[1].startswith("- deviceCaSigner is keyfile, and Lambda has no disk that lasts")
    assert lines[2:5] == [
        "- apiCertificateArn is not in ACM (request or import it, and set the ARN).",
        "- adminCertificateArn is PENDING_VALIDATION (finish its validation in ACM, or renew it).",
        "- adminCertificateArn is for other.example.com, and not for admin.example.com.",
    ]
    assert lines[5].startswith("- enrollmentHookClass is absent.Hook, which cannot be imported: ")
    assert lines[6].startswith("- Lambda has no execution left for these functions")
    assert lines[7].startswith("Nothing is done yet.")
    assert aws_client("s3").list_buckets()["Buckets"] == []


def test_a_certificate_that_is_not_acms_own_takes_another_for_mutual_tls(aws_cloud, configured):
    moto_gaps.issue_certificate(f"{ACM}/est", DOMAIN, kind="IMPORTED")
    moto_gaps.issue_certificate(f"{ACM}/own", DOMAIN)

    configured()

    text = refusal()

    assert "apiCertificateArn is IMPORTED, and mutual TLS with such a certificate takes" in text
    own = f"  apiOwnershipVerificationCertificateArn: {ACM}/own\n"
    configured(CONFIG.replace("  adminDomainName", f"{own}  adminDomainName"))
    check()


def test_a_class_that_no_package_would_hold_is_refused(
    aws_cloud, configured, tmp_path, monkeypatch
):
    (tmp_path / "elsewhere_hooks.py").write_text("class Hook: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    text = CONFIG.replace(
        "DeploymentOptions:", "  enrollmentHookClass: elsewhere_hooks.Hook\nDeploymentOptions:"
    )

    configured(text)

    assert (
        "enrollmentHookClass is elsewhere_hooks.Hook, which no package would hold (put "
        "elsewhere_hooks beside manage.py" in refusal()
    )
    sys.modules.pop("elsewhere_hooks", None)


def test_a_right_that_is_missing_is_a_problem_like_others(deployment):
    from botocore.stub import Stubber

    with Stubber(aws_client("acm", read_timeout=60)) as stub:
        for _ in deployment.domains:
            stub.add_client_error("describe_certificate", "AccessDeniedException", "no acm for you")
        text = refusal()

    assert "- apiCertificateArn cannot be read: acm:DescribeCertificate failed with Access" in text
    assert "- adminCertificateArn cannot be read" in text


def test_a_quota_of_a_new_account_is_said(deployment, monkeypatch):
    assert list(account_notes(deployment)) == []
    monkeypatch.setitem(moto_lambda.executions, "ConcurrentExecutions", 10)

    [note] = account_notes(deployment)

    assert note.startswith("Lambda runs at most 10 executions at once in this account")


def test_domains_near_their_quota_are_said(deployment, monkeypatch):
    monkeypatch.setattr("estserver.deploy.account.problems.DOMAINS_QUOTA", 1)

    [note] = account_notes(deployment)

    assert "est.example.com, admin.example.com may be refused" in note


@pytest.mark.parametrize(
    ("names", "is_covered"),
    [
        (["est.example.com"], True),
        (["EST.example.com"], True),
        (["*.example.com"], True),
        (["*.com", "example.com"], False),
        (["other.example.com"], False),
    ],
)
def test_a_star_stands_for_one_label(names, is_covered):
    assert covers(names, "est.example.com") is is_covered


@pytest.mark.parametrize("state", ["absent", "to be deleted"])
def test_the_databases_secret_is_looked_for_before_anything_is_made(aws_cloud, configured, state):
    configured(WITHOUT_DATABASE.replace("Properties:", "Properties:\n  databaseSecretName: est/db"))
    if state == "to be deleted":
        secrets = aws_client("secretsmanager")
        secrets.create_secret(Name="est/db", SecretString="{}")
        secrets.delete_secret(SecretId="est/db")
    said = {
        "absent": "has no such secret in eu-central-1",
        "to be deleted": "which is to be deleted",
    }

    assert said[state] in refusal()

    aws_client("secretsmanager").create_secret(Name="other/db", SecretString="{}")
    configured(
        WITHOUT_DATABASE.replace("Properties:", "Properties:\n  databaseSecretName: other/db")
    )
    check()
