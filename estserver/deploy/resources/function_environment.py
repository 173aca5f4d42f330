"""What a function has to know and no package may hold: its database's URL, password and all."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estserver.config.database import has_password
from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.steps import DONE, Blocked, Plan, Step
from estserver.deploy.zappa.stage import look_at_stage
from pki.operators.errors import OperatorError

DATABASE_URL = "DATABASE_URL"


@dataclass(frozen=True)
class FunctionEnvironment(Step[Mapping[str, Any]]):
    """The function's environment, which Lambda encrypts. What else is in it stays.

    The database's URL is the one that the configuration or our own environment has, when there is
    a password in it. With ``databaseSecretName`` the function reads it itself, and is told nothing.
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
        wanted = dict(known)
        properties = self.deployment.config.properties
        url = properties.database_url
        if has_password(url):
            wanted[DATABASE_URL] = url
        is_named = properties.database_secret_name or (url and not url.startswith("sqlite:"))
        if DATABASE_URL not in wanted and not is_named:
            raise OperatorError(
                f"the function {self.deployment.function(self.stage)} has no database: set "
                "databaseSecretName to a secret that holds a PostgreSQL URL, or DATABASE_URL "
                "(postgresql://user:password@host/name) where you deploy, or databaseUrl"
            )
        if wanted == known:
            return DONE
        call = Call(
            "lambda",
            "UpdateFunctionConfiguration",
            "the function doesn't know its database",
            {
                "FunctionName": self.deployment.function(self.stage),
                "Environment": {"Variables": wanted},
            },
            secret=frozenset({"Environment"}),
        )
        return Plan((call,))
