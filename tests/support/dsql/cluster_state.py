"""What all sessions of a cluster share."""

import threading
from dataclasses import dataclass, field

from tests.support.dsql.conflicts import Commits, Plan
from tests.support.dsql.jobs import Jobs, Query
from tests.support.dsql.login import Principal
from tests.support.dsql.refusals import Refusal
from tests.support.dsql.transaction import Limits


@dataclass
class ClusterState:
    """Limits, conflicts, jobs and grants of a cluster."""

    query: Query
    jobs: Jobs
    plan: Plan = field(default_factory=Plan)
    limits: Limits = field(default_factory=Limits)
    commits: Commits = field(default_factory=Commits)
    principals: dict[str, Principal] = field(default_factory=dict)
    grants: set[tuple[str, str]] = field(default_factory=set)
    """Which principal (its ARN) may log in as which database role."""
    refusals: list[tuple[str, Refusal]] = field(default_factory=list)
    """What was refused so far, oldest first: the statement, and why."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note_refusal(self, sql: str, refusal: Refusal) -> None:
        """Keep a refusal for tests that ask which statements a program sent."""
        with self._lock:
            self.refusals.append((sql, refusal))

    def grant(self, role: str, arn: str) -> None:
        """Let the principal log in as the role, as AWS IAM GRANT does."""
        with self._lock:
            self.grants.add((role, arn))
        self.query(
            "INSERT INTO sys.iam_pg_role_mappings (arn, pg_role_name) VALUES (%s, %s) "
            "ON CONFLICT DO NOTHING",
            (arn, role),
        )

    def revoke(self, role: str, arn: str) -> None:
        """Take back what ``grant`` gave."""
        with self._lock:
            self.grants.discard((role, arn))
        self.query(
            "DELETE FROM sys.iam_pg_role_mappings WHERE arn = %s AND pg_role_name = %s",
            (arn, role),
        )

    def has_role(self, role: str) -> bool:
        """Return whether the database role exists and may log in."""
        found = self.query("SELECT 1 FROM pg_roles WHERE rolname = %s AND rolcanlogin", (role,))
        return bool(found)
