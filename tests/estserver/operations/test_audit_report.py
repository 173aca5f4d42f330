"""The audit trail's heads, written down each hour."""

import json
import logging
import uuid
from types import SimpleNamespace

import pytest

from estserver.operations import audit_report, schedule
from estserver.operations.logs import JSONFormatter
from pki.aws.clients import aws_client
from pki.operators.errors import RemoteFailure
from pki.record import audit_trail
from pki.record.audit_heads import chain_heads, compare_heads, read_heads

BUCKET = "est-server-audit-123456789012-eu-central-1"
CONTEXT = SimpleNamespace(
    invoked_function_arn="arn:aws:lambda:eu-central-1:123456789012:function:est-server-admin"
)


@pytest.fixture
def log(caplog):
    """The log as it is printed."""
    caplog.set_level(logging.INFO)
    return lambda: "\n".join(JSONFormatter().format(record) for record in caplog.records)


def objects():
    listed = aws_client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return [
        aws_client("s3").get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read().decode()
        for each in listed
    ]


def test_T48_each_hour_the_log_has_the_heads_in_a_line(transactional_db, installation, log):
    schedule.every_hour(None, None)

    (report,) = read_heads(log())
    assert set(report.heads) == set(chain_heads())
    assert compare_heads([report]) == []
    assert sum("audit_heads" in line for line in log().splitlines()) == 1


def test_T48_on_lambda_the_bucket_gets_all_of_them_however_many(
    installation, log, settings, aws_cloud, monkeypatch
):
    aws_client("s3").create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": "eu-central-1"},
        ObjectLockEnabledForBucket=True,
    )
    settings.IS_LAMBDA = True
    monkeypatch.setattr(audit_report, "MOST_IN_A_LINE", 0)
    audit_trail.start_new_chain()

    audit_report.write_heads(CONTEXT)

    (stored,) = objects()
    (report,) = read_heads(stored)
    (logged,) = read_heads(log())
    assert set(report.heads) == set(chain_heads())
    assert (logged.heads, logged.rows) == ((), report.rows)


def test_a_bucket_that_is_not_there_fails_the_schedule_after_the_line(
    installation, log, settings, aws_cloud
):
    settings.IS_LAMBDA = True

    with pytest.raises(RemoteFailure, match="s3:PutObject failed with NoSuchBucket"):
        audit_report.write_heads(CONTEXT)

    assert "audit_heads" in log()


def test_a_line_fits_into_what_cloudwatch_takes(db):
    heads = [
        audit_report.ChainHead(uuid.uuid4(), 2**31, "a" * 64)
        for _ in range(audit_report.MOST_IN_A_LINE + 1)
    ]
    report = audit_report.heads_report(heads, most=audit_report.MOST_IN_A_LINE)

    assert len(json.dumps(report)) < 200 * 1024
