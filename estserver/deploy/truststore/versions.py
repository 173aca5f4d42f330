"""The versions of the truststore's object in S3: list them, read one, put a new one."""

from dataclasses import dataclass
from datetime import datetime

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import Call, ask, ask_all
from estserver.deploy.front_door.truststore_object import OBJECT_KEY
from estserver.deploy.truststore.bundle import Bundle, bundle_from_pem
from pki.aws.clients import as_remote_failure
from pki.operators.errors import OperatorError, RemoteFailure

_NO_SUCH_VERSION = ("400", "404", "InvalidArgument", "NoSuchVersion", "NoSuchKey")


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the object."""

    version_id: str
    made_at: datetime


def versions(deployment: Deployment) -> list[Version]:
    """Return all versions, the newest first. Raises ``RemoteFailure``."""
    found = ask_all(
        "s3",
        "ListObjectVersions",
        "Versions",
        Bucket=deployment.truststore_bucket,
        Prefix=OBJECT_KEY,
    )
    return [
        Version(each["VersionId"], each["LastModified"])
        for each in found
        if each["Key"] == OBJECT_KEY
    ]


def read_version(deployment: Deployment, version_id: str) -> Bundle:
    """Return the CAs of a version. Raises ``OperatorError`` when there is no such version."""
    try:
        answer = ask(
            "s3",
            "GetObject",
            Bucket=deployment.truststore_bucket,
            Key=OBJECT_KEY,
            VersionId=version_id,
        )
    except RemoteFailure as error:
        if error.code not in _NO_SUCH_VERSION:
            raise
        raise OperatorError(
            f"There is no version {version_id} of the truststore. manage.py aws_truststore lists "
            "all versions."
        ) from error
    with as_remote_failure("s3:GetObject"):
        pem = answer["Body"].read()
    try:
        return bundle_from_pem(pem)
    except ValueError as error:
        raise OperatorError(
            f"Version {version_id} of the truststore holds something else than certificates. Push "
            "a new one: manage.py aws_truststore --push."
        ) from error


def put_call(deployment: Deployment, bundle: Bundle, reason: str) -> Call:
    """Return the call that makes a new version."""
    return Call(
        "s3",
        "PutObject",
        reason,
        {
            "Bucket": deployment.truststore_bucket,
            "Key": OBJECT_KEY,
            "Body": bundle.pem,
            "ContentType": "application/x-pem-file",
            "ChecksumAlgorithm": "SHA256",
            "Metadata": {"sha256": bundle.sha256},
        },
    )
