"""Put the version before in service again, when it knows the schema of the database."""

from collections.abc import Sequence
from dataclasses import dataclass

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.performer import Clock, Performer
from estserver.deploy.engine.runs import Intended, carry_out
from estserver.deploy.engine.steps import Plan, Step
from estserver.deploy.lifecycle.deploy import Say, print_calls
from estserver.deploy.zappa.admin_function import run_in_function
from estserver.deploy.zappa.live_version import update_alias
from estserver.deploy.zappa.schema import applied_in, not_covered, schema_of
from estserver.deploy.zappa.versions import SeenVersions, look_at_versions
from pki.operators.errors import OperatorError

COMMAND = "showmigrations"


@dataclass(frozen=True)
class Rollback(Step[SeenVersions]):
    """The alias at the version before, or at the one that ``to`` names."""

    deployment: Deployment
    stage: StageName
    to: int

    @property
    def name(self) -> str:
        """The step's name, as messages show it."""
        return f"{self.stage}: roll back"

    def look(self) -> SeenVersions:
        """Read versions and alias."""
        return look_at_versions(self.deployment, self.stage)

    def plan(self, seen: SeenVersions) -> Plan:
        """Name the version in the alias, alone, and record which one it replaces."""
        if seen.alias and (seen.alias.version, seen.alias.canary) == (self.to, 0):
            return Plan()
        replaced = _replaced(seen)
        reason = f"version {self.to} serves in place of {replaced}"
        description = f"rolled back from {replaced}"
        name = self.deployment.function(self.stage)
        return Plan((update_alias(name, self.to, description, reason),))


def roll_back(
    deployment: Deployment,
    stages: Sequence[StageName],
    *,
    say: Say,
    to: int = 0,
    ignores_schema: bool = False,
    is_dry_run: bool = False,
    clock: Clock | None = None,
) -> tuple[str, ...]:
    """Put the version before of each stage in service; return the names of what changed.

    ``to`` names another version. Both stages are looked at before either is changed. Raises
    ``OperatorError`` without a version to go back to, and for one whose code does not have the
    migrations that the database has.
    """
    # Step 1: which version, and whether the database suits it.
    steps = []
    for stage in stages:
        seen = look_at_versions(deployment, stage)
        version = to or version_before(seen, deployment.function(stage))
        if version not in seen.codes:
            raise OperatorError(
                f"{deployment.function(stage)} has no version {version}. Its versions are "
                f"{', '.join(map(str, seen.codes))}."
            )
        is_in_service = seen.alias is not None and seen.alias.version == version
        if not ignores_schema and not is_in_service:
            _check_schema(deployment, seen, version, deployment.function(stage))
        steps.append(Rollback(deployment, stage, version))
    # Step 2: the change, which takes effect with the next request.
    if is_dry_run:
        for step in steps:
            plan = step.plan(step.look())
            print_calls([Intended(step.name, plan.calls)], say)
        return ()
    return carry_out(steps, Performer(say, clock)).changed


def version_before(seen: SeenVersions, function: str) -> int:
    """Return the version to go back to: with a canary, the one that serves the rest.

    Raises ``OperatorError`` when there is none.
    """
    alias = seen.alias
    if alias is None:
        raise OperatorError(
            f"{function} has no version in service yet. Run manage.py aws_deploy first."
        )
    if alias.canary:
        return alias.version
    before = alias.before if alias.before in seen.codes else seen.before(alias.version)
    if not before:
        raise OperatorError(
            f"{function} runs version {alias.version}, and there is no version before it. Deploy "
            "the older code: check it out, and run manage.py aws_deploy."
        )
    return before


def _replaced(seen: SeenVersions) -> int:
    if seen.alias is None:
        return 0
    return seen.alias.canary or seen.alias.version


def _check_schema(deployment: Deployment, seen: SeenVersions, version: int, function: str) -> None:
    """Refuse a version that does not have the database's migrations (threat T62)."""
    known = schema_of(seen.descriptions[version])
    if not known:
        raise OperatorError(
            f"Version {version} of {function} does not say which migrations it has, because an "
            "older release deployed it. Check that release out, and run manage.py aws_deploy; or "
            "compare the migrations yourself, and add --ignore-schema."
        )
    # What was uploaded last knows every migration that was applied.
    printed = run_in_function(deployment.function("admin"), COMMAND)
    missing = not_covered(applied_in(printed), known)
    if missing:
        raise OperatorError(
            f"Version {version} of {function} does not know the schema: the database has "
            f"{', '.join(missing)}. Correct the newer code and deploy that. The migrations of one "
            "release run beside the release before it: if this is that release, add "
            "--ignore-schema."
        )
