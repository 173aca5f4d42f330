"""The database's URL with its password, which a function needs and no package may hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.database import url_for_function
from estserver.deploy.zappa.stage import look_at_stage, not_deployed
from pki.operators.errors import OperatorError

DATABASE_URL = "DATABASE_URL"


@dataclass(frozen=True)
class FunctionEnvironment(Step[Mapping[str, Any]]):
    """The function's environment, which Lambda encrypts. Other variables in it stay.

    The URL comes from the configuration or from the environment of the person who deploys, and is
    set when it has a password. With ``databaseSecretName`` the function reads the secret itself.
    """

    deployment: Deployment
    stage: StageName

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: environment"

    def look(self) -> Mapping[str, Any]:
        """Read the function's configuration."""
        seen = look_at_stage(self.deployment, self.stage)
        if not seen.is_deployed:
            raise not_deployed(self.stage)
        return seen.function

    def plan(self, seen: Mapping[str, Any]) -> Plan:
        """Set a URL that is missing or differs. Raises ``OperatorError`` without a database."""
        if seen.get("LastUpdateStatus") == "InProgress":
            return Plan(waiting="Lambda is updating the function")
        known: Mapping[str, str] = seen.get("Environment", {}).get("Variables", {})
        wanted = dict(known)
        properties = self.deployment.config.properties
        url = properties.database_url
        if for_function := url_for_function(self.deployment, self.stage):
            wanted[DATABASE_URL] = for_function
        is_named = properties.database_secret_name or (url and not url.startswith("sqlite:"))
        if DATABASE_URL not in wanted and not is_named:
            raise OperatorError(
                f"The function {self.deployment.function(self.stage)} has no database. Run "
                "aws_deploy --prepare, which makes a cluster of Aurora DSQL when the configuration "
                "names no database, or set database, databaseSecretName or databaseUrl."
            )
        if wanted == known:
            return DONE
        call = Call(
            "lambda",
            "UpdateFunctionConfiguration",
            "the function has no URL of its database, or another one",
            {
                "FunctionName": self.deployment.function(self.stage),
                "Environment": {"Variables": wanted},
            },
            secret=frozenset({"Environment"}),
        )
        return Plan((call,))
