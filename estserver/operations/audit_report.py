"""Write down the audit trail's heads each hour, where the server cannot change them later.

They go to the log, and on Lambda also to a bucket of their own. Its object lock keeps every object,
and the function may put objects there and nothing else.
"""

import json
import logging
from typing import Any

from django.conf import settings
from django.utils import timezone

from estserver.config.bucket_names import AUDIT_HEADS, bucket_name
from pki.aws.clients import as_remote_failure, aws_client
from pki.record.audit_heads import ChainHead, chain_heads, heads_report

logger = logging.getLogger(__name__)

MOST_IN_A_LINE = 1000
"""Chains that a log line lists, some 110 bytes each. CloudWatch takes lines of up to 256 KiB:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html"""

_REGION, _ACCOUNT = 3, 4
"""Places in a function's ARN: arn:partition:lambda:region:account:function:name."""


def write_heads(context: Any = None) -> None:
    """Write the heads and counts of all chains to the log, and on Lambda to their bucket.

    ``context`` is Lambda's, whose ``invoked_function_arn`` names account and region. Raises
    ``RemoteFailure`` when S3 does not take the object. The log line is written before that.
    """
    heads = chain_heads()
    report = heads_report(heads, most=MOST_IN_A_LINE)
    logger.info("heads of the audit trail", extra={"fields": report})
    if settings.IS_LAMBDA:
        _put(_bucket(context.invoked_function_arn), heads)


def _bucket(function_arn: str) -> str:
    """Return the bucket's name in the account and region of the function."""
    arn = function_arn.split(":")
    project = settings.CONFIG.deployment.project_name
    return bucket_name(project, AUDIT_HEADS, arn[_ACCOUNT], arn[_REGION])


def _put(bucket: str, heads: list[ChainHead]) -> None:
    key = f"{timezone.now():%Y/%m/%d/%H-%M-%S}.json"
    with as_remote_failure("s3:PutObject"):
        aws_client("s3").put_object(
            Bucket=bucket,
            Key=key,
            Body=json.dumps(heads_report(heads)).encode(),
            ContentType="application/json",
            # An object under a retention must come with a checksum:
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
            ChecksumAlgorithm="SHA256",
        )
