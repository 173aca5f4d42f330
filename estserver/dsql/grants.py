"""What the database roles of the two functions may do in a cluster.

``est_admin`` owns the schema and its tables: it migrates. ``est_device`` serves devices, and may do
what the EST operations do. Whoever takes the device side over can neither change a table nor delete
or rewrite what the audit trail says, and knows nothing of people, their passwords and sessions.
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/using-database-and-iam-roles.html
"""

from collections.abc import Mapping
from typing import Any

from estserver.dsql.login import SCHEMA

ADMIN_ROLE = "est_admin"
DEVICE_ROLE = "est_device"

DEVICE_RIGHTS: Mapping[str, tuple[str, ...]] = {
    "django_migrations": ("SELECT",),
    "estserver_pendinghook": ("SELECT", "INSERT", "UPDATE", "DELETE"),
    "estserver_refusalcount": ("SELECT", "INSERT", "UPDATE"),
    # What the template in force wants a certificate to have.
    "iotprov_documentversion": ("SELECT",),
    "iotprov_provisioning": ("SELECT", "INSERT", "UPDATE"),
    "pki_auditevent": ("SELECT", "INSERT"),
    # The number of its next revocation list is in a CA's row.
    "pki_certificateauthority": ("SELECT", "UPDATE"),
    "pki_certificateprofile": ("SELECT",),
    "pki_denylistbatch": ("SELECT",),
    "pki_denylistentry": ("SELECT",),
    # One row, which readiness writes to as well.
    "pki_generation": ("SELECT", "INSERT", "UPDATE"),
    "pki_issuedcertificate": ("SELECT", "INSERT", "UPDATE"),
}
"""The rights of the device side, by table. A table that is not here does not exist for it."""


def setup_statements(role_arns: Mapping[str, str]) -> list[str]:
    """Return what the cluster's ``admin`` runs once, in this order, each in its own transaction.

    ``role_arns`` are the IAM roles that may log in, by database role. Which of the statements are
    left to run is for the caller to find out: only the last two kinds can be run again.
    """
    statements = [
        *(f"CREATE ROLE {role} WITH LOGIN" for role in role_arns),
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}",
        f"GRANT USAGE, CREATE ON SCHEMA {SCHEMA} TO {ADMIN_ROLE}",
        f"GRANT USAGE ON SCHEMA {SCHEMA} TO {DEVICE_ROLE}",
    ]
    return [*statements, *(iam_grant(role, arn) for role, arn in role_arns.items())]


def iam_grant(role: str, arn: str) -> str:
    """Return the statement that lets an IAM role log in as a database role."""
    quoted = arn.replace("'", "''")
    return f"AWS IAM GRANT {role} TO '{quoted}'"


def iam_revoke(role: str, arn: str) -> str:
    """Return the statement that ends that."""
    quoted = arn.replace("'", "''")
    return f"AWS IAM REVOKE {role} FROM '{quoted}'"


def apply_grants(connection: Any) -> list[str]:
    """Give the device side its rights to the tables that are there; return what was changed.

    Rights that are not in ``DEVICE_RIGHTS`` are taken away, as those of an earlier version are.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [DEVICE_ROLE])
        if cursor.fetchone() is None:  # a cluster that people set up for one user of their own
            return []
        tables = sorted(connection.introspection.table_names(cursor))
        cursor.execute(
            "SELECT table_name, privilege_type FROM information_schema.role_table_grants "
            "WHERE grantee = %s AND table_schema = %s",
            [DEVICE_ROLE, SCHEMA],
        )
        held = {(str(table), str(right)) for table, right in cursor.fetchall()}
        wanted = {(table, right) for table in tables for right in DEVICE_RIGHTS.get(table, ())}
        statements = [
            *(f"GRANT {right} ON {table} TO {DEVICE_ROLE}" for table, right in wanted - held),
            *(f"REVOKE {right} ON {table} FROM {DEVICE_ROLE}" for table, right in held - wanted),
        ]
        for statement in sorted(statements):
            cursor.execute(statement)
    return sorted(statements)
