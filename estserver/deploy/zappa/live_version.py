"""The step that publishes a function's version and puts it in service, wholly or for a share."""

from dataclasses import dataclass

from estserver.deploy.deployment import LIVE, Deployment, StageName
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.steps import Plan, Step
from estserver.deploy.zappa.versions import LiveAlias, SeenVersions, look_at_versions
from pki.operators.errors import OperatorError

KEPT_VERSIONS = 10
"""Older ones are deleted, because Lambda counts the code of each (75 GB an account and region).
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""
WHOLE = 100
"""Percent of the requests."""


@dataclass(frozen=True, slots=True)
class Service:
    """How a newer version is put in service."""

    percent: int = WHOLE
    """The share of requests that it gets."""
    promotes: bool = False
    """Whether this is also for a canary, and for a version that was rolled back."""
    moves: bool = True
    """Whether it is at all. If not, only a missing alias is made."""


WHOLLY = Service()
AS_IT_IS = Service(moves=False)


@dataclass(frozen=True)
class LiveVersion(Step[SeenVersions]):
    """The version that API Gateway and the schedules call, by the alias ``live``."""

    deployment: Deployment
    stage: StageName
    service: Service = WHOLLY

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.stage}: version in service"

    def look(self) -> SeenVersions:
        """Read versions and alias."""
        return look_at_versions(self.deployment, self.stage)

    def plan(self, seen: SeenVersions) -> Plan:
        """Publish what Zappa uploaded, then name it in the alias, then delete old versions.

        Raises ``OperatorError`` when SnapStart is on.
        """
        check_snap_start(seen.latest.get("SnapStart", {}).get("ApplyOn", "None"), self._function)
        # Step 1: Lambda may still be busy with the function.
        for held in (seen.latest, seen.newest):
            if held.get("LastUpdateStatus") == "InProgress" or held.get("State") == "Pending":
                return Plan(waiting="Lambda is updating the function")
        # Step 2: a version of what is there now.
        alias = seen.alias
        may_publish = self.service.moves or alias is None
        if not seen.is_published and may_publish:
            return Plan((self._publish("what Zappa uploaded is no version yet"),))
        # Step 3: the alias.
        if alias is None:
            named = {"FunctionName": self._function, "Name": LIVE}
            named["FunctionVersion"] = str(seen.number)
            return Plan((Call("lambda", "CreateAlias", "no version is in service", named),))
        notes = self._notes(seen, alias)
        if not self.service.moves or alias.version == seen.number:
            is_left_over = (
                bool(alias.canary) and self.service.moves and alias.version == seen.number
            )
            if is_left_over:
                return Plan((self._serve(seen.number, alias, "a share goes to another version"),))
            return Plan(self._deletions(seen, alias) if self.service.moves else (), notes=notes)
        if self._is_held_back(seen, alias):
            return Plan(notes=notes)
        if self.service.percent < WHOLE:
            return self._plan_canary(seen, alias)
        reason = f"version {alias.version} is in service, and {seen.number} is newer"
        return Plan((self._serve(seen.number, alias, reason),))

    def _is_held_back(self, seen: SeenVersions, alias: LiveAlias) -> bool:
        """Whether a person chose that the newest code isn't in service, or for a share only."""
        if self.service.promotes or self.service.percent < WHOLE:
            return False
        chosen = alias.canary or alias.rolled_back_from
        return bool(chosen) and seen.has_same_code(chosen, seen.number)

    def _plan_canary(self, seen: SeenVersions, alias: LiveAlias) -> Plan:
        weight = self.service.percent / WHOLE
        if (alias.canary, alias.weight) == (seen.number, weight):
            return Plan(notes=self._notes(seen, alias))
        reason = f"version {seen.number} gets {self.service.percent} % of the requests"
        shares = {str(seen.number): weight}
        call = update_alias(self._function, alias.version, alias.description, reason, shares)
        return Plan((call,))

    def _notes(self, seen: SeenVersions, alias: LiveAlias) -> tuple[str, ...]:
        name = self._function
        if alias.canary:
            return (
                f"{name} runs version {alias.version}, and version {alias.canary} for "
                f"{alias.weight * WHOLE:.0f} % of the requests. Run manage.py aws_deploy "
                f"--promote, or manage.py aws_rollback {self.stage}.",
            )
        if alias.rolled_back_from and seen.has_same_code(alias.rolled_back_from, seen.number):
            return (
                f"{name} runs version {alias.version}, because it was rolled back from version "
                f"{alias.rolled_back_from}. Deploy corrected code, or run manage.py aws_deploy "
                "--promote.",
            )
        if not self.service.moves and (alias.version != seen.number or not seen.is_published):
            return (
                f"{name} runs version {alias.version}, and what was uploaded since is not in "
                "service. Run manage.py aws_deploy.",
            )
        return ()

    def _deletions(self, seen: SeenVersions, alias: LiveAlias) -> tuple[Call, ...]:
        kept = {alias.version, alias.canary, alias.before, *sorted(seen.codes)[-KEPT_VERSIONS:]}
        return tuple(
            Call(
                "lambda",
                "DeleteFunction",
                f"version {number} is old and not in service",
                {"FunctionName": self._function, "Qualifier": str(number)},
            )
            for number in seen.codes
            if number not in kept
        )

    def _publish(self, reason: str) -> Call:
        return Call("lambda", "PublishVersion", reason, {"FunctionName": self._function})

    def _serve(self, version: int, alias: LiveAlias, reason: str) -> Call:
        description = f"after {alias.version}" if version != alias.version else alias.description
        return update_alias(self._function, version, description, reason)

    @property
    def _function(self) -> str:
        return self.deployment.function(self.stage)


def update_alias(
    function: str,
    version: int,
    description: str,
    reason: str,
    shares: dict[str, float] | None = None,
) -> Call:
    """Return the call that names another version. Without ``shares`` it serves alone."""
    return Call(
        "lambda",
        "UpdateAlias",
        reason,
        {
            "FunctionName": function,
            "Name": LIVE,
            "FunctionVersion": str(version),
            "Description": description,
            "RoutingConfig": {"AdditionalVersionWeights": shares or {}},
        },
    )


def check_snap_start(applies_on: str, where: str) -> None:
    """Refuse SnapStart. Raises ``OperatorError``.

    A snapshot holds the state of the process's random number generators, and every instance
    starts from the same one; here private keys and serial numbers come of them.
    https://docs.aws.amazon.com/lambda/latest/dg/snapstart-uniqueness.html
    """
    if applies_on != "None":
        raise OperatorError(
            f"SnapStart is on in {where} ({applies_on}). All instances would start with the same "
            "random state, from which keys and serial numbers come. Turn it off: remove snap_start "
            "from zappa_settings.json, and set SnapStart to None in Lambda."
        )
