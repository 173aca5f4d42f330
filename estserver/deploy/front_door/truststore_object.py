"""The S3 object from which API Gateway reads the CAs that it trusts: its place and version."""

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import ask_if_any

OBJECT_KEY = "truststore.pem"


def object_uri(deployment: Deployment) -> str:
    """Return the object's ``s3://`` URI, as API Gateway takes it."""
    return f"s3://{deployment.truststore_bucket}/{OBJECT_KEY}"


def latest_version(deployment: Deployment) -> str:
    """Return the id of the object's newest version; "" when there is no object.

    Raises ``RemoteFailure``.
    """
    answer = ask_if_any("s3", "HeadObject", Bucket=deployment.truststore_bucket, Key=OBJECT_KEY)
    return "" if answer is None else str(answer.get("VersionId") or "")
