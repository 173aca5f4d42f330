"""The database roles of the two functions, which IAM roles may log in as them (threat T75).

The machine that deploys makes them, as the cluster's role ``admin``.
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/using-database-and-iam-roles.html
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from estserver.deploy.deployment import STAGES, Deployment
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.steps import Blocked, Plan, Step
from estserver.deploy.rights.dsql_cluster import (
    DATABASE,
    DATABASE_ROLES,
    DELETING,
    DSQLCluster,
    find_cluster,
)
from estserver.dsql.grants import ADMIN_ROLE, DEVICE_ROLE, iam_grant, iam_revoke
from estserver.dsql.login import ADMIN, SCHEMA, login_token
from estserver.postgresql.tls import VERIFY_FULL, public_roots
from pki.operators.errors import OperatorError

CONNECT_SECONDS = 10
_SCHEMA_RIGHTS = {ADMIN_ROLE: "UC", DEVICE_ROLE: "U"}
"""USAGE and CREATE, as PostgreSQL's access lists abbreviate them.
https://www.postgresql.org/docs/current/ddl-priv.html#PRIVILEGE-ABBREVS-TABLE
"""
_WORDS = {"UC": "USAGE, CREATE", "U": "USAGE"}


@dataclass(frozen=True, slots=True)
class SeenRoles:
    """What the cluster has of them."""

    roles: frozenset[str] = frozenset()
    has_schema: bool = False
    schema_rights: Mapping[str, str] = field(default_factory=dict)
    logins: frozenset[tuple[str, str]] = frozenset()
    """Pairs of database role and IAM role's ARN."""


@dataclass(frozen=True)
class DatabaseRoles(Step[SeenRoles]):
    """The schema, the two database roles, and which IAM role may log in as which of them."""

    deployment: Deployment
    name = "database roles"

    def look(self) -> SeenRoles:
        """Read schema, roles and logins. Raises ``OperatorError`` when the cluster refuses."""
        with as_admin(self._cluster()) as session:
            rows = session.execute(
                "SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [list(_SCHEMA_RIGHTS)]
            )
            roles = frozenset(str(name) for (name,) in rows)
            rows = session.execute(
                "SELECT nspacl::text FROM pg_namespace WHERE nspname = %s", [SCHEMA]
            )
            schemas = rows.fetchall()
            rows = session.execute("SELECT pg_role_name, arn FROM sys.iam_pg_role_mappings")
            logins = frozenset((str(role), str(arn)) for role, arn in rows)
        rights = _rights_in(str(schemas[0][0] or "")) if schemas else {}
        return SeenRoles(roles, bool(schemas), rights, logins)

    def plan(self, seen: SeenRoles) -> Plan:
        """Make what is missing, and take logins away that others have as these roles."""
        calls = [
            _statement(f"CREATE ROLE {role} WITH LOGIN", f"there is no database role {role}")
            for role in _SCHEMA_RIGHTS
            if role not in seen.roles
        ]
        if not seen.has_schema:
            reason = f"there is no schema {SCHEMA}"
            calls.append(_statement(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}", reason))
        for role, rights in _SCHEMA_RIGHTS.items():
            if not set(rights) <= set(seen.schema_rights.get(role, "")):
                statement = f"GRANT {_WORDS[rights]} ON SCHEMA {SCHEMA} TO {role}"
                calls.append(_statement(statement, f"{role} has no right to the schema"))
        wanted = {
            (DATABASE_ROLES[stage], self.deployment.role_arn(self.deployment.role(stage)))
            for stage in STAGES
        }
        held = {login for login in seen.logins if login[0] in _SCHEMA_RIGHTS}
        for role, arn in sorted(wanted - held):
            calls.append(_statement(iam_grant(role, arn), f"{arn} cannot log in as {role}"))
        for role, arn in sorted(held - wanted):
            calls.append(_statement(iam_revoke(role, arn), f"{arn} may log in as {role}"))
        return Plan(tuple(calls))

    def apply(self, plan: Plan, performer: Performer) -> None:
        """Run the statements, each in a transaction of its own. Raises ``OperatorError``."""
        with as_admin(self._cluster()) as session:
            for call in plan.calls:
                performer.say(f"  {call.reason}")
                session.execute(call.parameters["Statement"])

    def _cluster(self) -> DSQLCluster:
        cluster = find_cluster(self.deployment)
        if cluster is None or cluster.status in DELETING:
            raise Blocked("There is no cluster yet. aws_deploy --prepare makes it.")
        return cluster


def _statement(statement: str, reason: str) -> Call:
    """Return a statement as a call, so that a plan shows it. The right to it is DbConnectAdmin."""
    return Call("dsql", "DbConnectAdmin", reason, {"Statement": statement})


def _rights_in(access_list: str) -> dict[str, str]:
    """Return the rights by role in a list such as ``{admin=UC/admin,est_device=U/admin}``."""
    entries = (each.partition("=") for each in access_list.strip("{}").split(",") if each)
    return {role.strip('"'): rights.partition("/")[0] for role, _, rights in entries}


@contextmanager
def as_admin(cluster: DSQLCluster) -> Iterator[psycopg.Connection[Any]]:
    """Log in at the cluster as its role ``admin``, with the credentials at hand.

    Raises ``OperatorError`` when that, or a statement in the block, fails.
    """
    # libpq's own variable wins, as for the functions (`estserver.dsql.base`).
    roots = os.environ.get("PGSSLROOTCERT") or public_roots()
    try:
        with psycopg.connect(
            host=cluster.endpoint,
            user=ADMIN,
            password=login_token(cluster.endpoint, ADMIN),
            dbname=DATABASE,
            sslmode=VERIFY_FULL,
            connect_timeout=CONNECT_SECONDS,
            autocommit=True,
            sslrootcert=roots,
        ) as session:
            yield session
    except psycopg.OperationalError as error:
        raise OperatorError(
            f"The cluster {cluster.identifier} did not let the role {ADMIN} in: "
            f"{' '.join(str(error).split()).rstrip('.')}. Allow dsql:DbConnectAdmin on "
            f"{cluster.arn}, and connections from this machine to its port 5432."
        ) from error
    except psycopg.Error as error:
        raise OperatorError(
            f"The cluster {cluster.identifier} refused a statement: "
            f"{' '.join(str(error).split()).rstrip('.')}. Run the command again."
        ) from error
