"""What a function has to know and no package may hold: its database's password, Django's key."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estserver import secret_key
from estserver.deploy.calls import Call
from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.package_config import has_password
from estserver.deploy.steps import DONE, Blocked, Plan, Step
from estserver.deploy.zappa_stage import look_at_stage
from pki.exceptions import OperatorError

DATABASE_URL = "DATABASE_URL"


@dataclass(frozen=True)
class FunctionEnvironment(Step[Mapping[str, Any]]):
    """The function's environment, which Lambda encrypts. What else is in it stays.

    Django's key is made here, once, and never shown; the database's URL is the one that the
    configuration or our own environment has, when there is a password in it.
    """

    deployment: Deployment
    stage: StageName

    @property
    def name(self) -> str:
        """As it is shown."""
        return f"{self.stage}: environment"

    def look(self) -> Mapping[str, Any]:
        """The function's configuration."""
        seen = look_at_stage(self.deployment, self.stage)
        if not seen.is_deployed:
            raise Blocked(f"the stage {self.stage} isn't deployed; run zappa deploy {self.stage}")
        return seen.function

    def plan(self, seen: Mapping[str, Any]) -> Plan:
        """Set what is missing or another. Raises ``OperatorError`` without a database."""
        if seen.get("LastUpdateStatus") == "InProgress":
            return Plan(waiting="Lambda is updating the function")
        known: Mapping[str, str] = seen.get("Environment", {}).get("Variables", {})
        wanted = {secret_key.VARIABLE: secrets.token_urlsafe(secret_key.MINIMUM), **known}
        url = self.deployment.config.properties.database_url
        if has_password(url):
            wanted[DATABASE_URL] = url
        if DATABASE_URL not in wanted and (not url or url.startswith("sqlite:")):
            raise OperatorError(
                f"the function {self.deployment.function(self.stage)} has no database: set "
                "DATABASE_URL to a PostgreSQL database (postgresql://user:password@host/name) "
                "where you deploy, or databaseUrl"
            )
        if wanted == known:
            return DONE
        call = Call(
            "lambda",
            "UpdateFunctionConfiguration",
            "the function doesn't know its database and key as it should",
            {
                "FunctionName": self.deployment.function(self.stage),
                "Environment": {"Variables": wanted},
            },
            secret=frozenset({"Environment"}),
        )
        return Plan((call,))
