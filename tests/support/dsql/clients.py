"""psycopg connections to a test cluster, with tokens that botocore signs."""

from functools import cache
from typing import Any

import boto3
import psycopg

from tests.support.dsql.cluster import DATABASE, REGION, Cluster
from tests.support.dsql.login import ADMIN


def token(
    cluster: Cluster,
    user: str = ADMIN,
    *,
    keys: tuple[str, str] = ("testing", "testing"),
    session_token: str | None = None,
    seconds: int = 900,
) -> str:
    """Return a login token for a database role, as AWS's SDK makes it."""
    signer = _signer(*keys, session_token)
    make = (
        signer.generate_db_connect_admin_auth_token
        if user == ADMIN
        else signer.generate_db_connect_auth_token
    )
    return make(cluster.host, REGION, seconds)


@cache  # Making one takes longer than a test.
def _signer(access_key: str, secret: str, session_token: str | None) -> Any:
    return boto3.client(
        "dsql",
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
        aws_session_token=session_token,
    )


def connect(
    cluster: Cluster, user: str = ADMIN, *, password: str = "", **options: Any
) -> psycopg.Connection[Any]:
    """Return a new connection with ``autocommit``, to the cluster by its name and address."""
    return psycopg.connect(
        **{
            "host": cluster.host,
            "hostaddr": "127.0.0.1",
            "port": cluster.port,
            "user": user,
            "password": password or token(cluster, user),
            "dbname": DATABASE,
            "sslmode": "verify-full",
            "sslrootcert": str(cluster.ca_file),
            "autocommit": True,
        }
        | options
    )
