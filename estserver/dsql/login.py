"""The login at a cluster: a token in place of a password, which this process signs by itself.

AWS's connector would sign it too. It imports a third of a second's worth of modules at a cold
start: botocore's credentials, and pools that one connection does not need.
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/SECTION_authentication-token.html
"""

import os

from django.views.decorators.debug import sensitive_variables

from pki.aws.presigned import presigned_request
from pki.conf import pki_settings
from pki.operators.errors import OperatorError

ADMIN = "admin"
"""The database role that a cluster has from the start, and that makes schemas and roles."""
SCHEMA = "est_server"
"""The schema of all tables. Only the role ``admin`` may make tables in ``public``."""
TOKEN_SECONDS = 15 * 60
"""A token's life. Only the login needs it: a connection that was made stays."""
_HOST_PARTS = ("dsql", "on", "aws")


def region_of(host: str) -> str:
    """Return the region that a cluster's endpoint names: id.dsql.region.on.aws.

    Falls back on ``awsRegion`` and the process's own region. Raises ``OperatorError`` without one.
    """
    parts = host.lower().rstrip(".").split(".")
    if len(parts) == 5 and (parts[1], *parts[3:]) == _HOST_PARTS:
        return parts[2]
    region = pki_settings().aws_region or os.environ.get("AWS_REGION", "")
    if not region:
        raise OperatorError(
            f"The region of the cluster {host} is not known, and its login takes one. Name its "
            "endpoint (ID.dsql.REGION.on.aws), or set awsRegion."
        )
    return region


@sensitive_variables()
def login_token(host: str, user: str) -> str:
    """Return the token with which the database role ``user`` logs in at ``host``.

    The right is ``dsql:DbConnectAdmin`` for the role ``admin``, and ``dsql:DbConnect`` for others.
    Raises ``OperatorError`` without a region, and ``RemoteFailure`` without credentials.
    """
    action = "DbConnectAdmin" if user == ADMIN else "DbConnect"
    return presigned_request(
        "dsql", host, {"Action": action}, region=region_of(host), seconds=TOKEN_SECONDS
    )
