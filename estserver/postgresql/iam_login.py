"""The password of an IAM database login: a token that this process signs, without a call to AWS.

https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
"""

import os

from django.views.decorators.debug import sensitive_variables

from estserver.postgresql.tls import rds_region
from pki.aws.presigned import presigned_request
from pki.conf import pki_settings
from pki.operators.errors import OperatorError

TOKEN_SECONDS = 15 * 60
"""A token's life. Only the login needs it: a connection that was made stays."""


@sensitive_variables()
def login_token(host: str, port: int, user: str) -> str:
    """Return the token with which ``user`` logs in at ``host``.

    The right is ``rds-db:connect``. Raises ``OperatorError`` without a region, and
    ``RemoteFailure`` without credentials.
    """
    region = rds_region(host) or pki_settings().aws_region or os.environ.get("AWS_REGION", "")
    if not region:
        raise OperatorError(
            f"The region of the database {host} is not known, and its login by IAM takes one. Set "
            "awsRegion."
        )
    return presigned_request(
        "rds-db",
        f"{host}:{port}",
        {"Action": "connect", "DBUser": user},
        region=region,
        seconds=TOKEN_SECONDS,
    )
