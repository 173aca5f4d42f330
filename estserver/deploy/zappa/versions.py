"""The published versions of a function, and the alias ``live``, which names the one in service.

API Gateway and the schedules call the alias, so a new version serves nobody before it is named
there, and the version before can be named again. ``$LATEST``, where Zappa puts new code, is called
by the setup only.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estserver.deploy.deployment import LIVE, Deployment, StageName
from estserver.deploy.engine.calls import ask, ask_all, ask_if_any
from estserver.deploy.zappa.stage import look_at_function

_CONFIGURATION = (
    "Architectures",
    "CodeSha256",
    "Description",
    "Environment",
    "EphemeralStorage",
    "Handler",
    "KMSKeyArn",
    "Layers",
    "MemorySize",
    "Role",
    "Runtime",
    "Timeout",
    "TracingConfig",
    "VpcConfig",
)
"""What a version fixes. Lambda publishes no new one while none of it has changed.
https://docs.aws.amazon.com/lambda/latest/api/API_PublishVersion.html
"""

_AFTER = re.compile(r"after (\d+)")
_ROLLED_BACK = re.compile(r"rolled back from (\d+)")


@dataclass(frozen=True, slots=True)
class LiveAlias:
    """The alias: which version serves, and what share of requests another one gets."""

    version: int
    description: str = ""
    canary: int = 0
    """The version that gets a share; 0 when there is none."""
    weight: float = 0.0
    """That share, from 0 to 1."""

    @property
    def before(self) -> int:
        """The version that served before this one, as the alias records it; 0 if unknown."""
        found = _AFTER.search(self.description)
        return int(found[1]) if found else 0

    @property
    def rolled_back_from(self) -> int:
        """The version that a rollback took out of service; 0 if none was."""
        found = _ROLLED_BACK.search(self.description)
        return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class SeenVersions:
    """A function with its versions and its alias."""

    latest: Mapping[str, Any]
    """The configuration of ``$LATEST``."""
    newest: Mapping[str, Any]
    """The configuration of the newest published version; empty when there is none."""
    codes: Mapping[int, str]
    """The digest of each version's code, the oldest first."""
    descriptions: Mapping[int, str]
    """What each version says of itself (`schema`)."""
    alias: LiveAlias | None

    @property
    def number(self) -> int:
        """The newest published version; 0 when there is none."""
        return max(self.codes, default=0)

    @property
    def is_published(self) -> bool:
        """Whether the newest version holds what ``$LATEST`` holds."""
        return bool(self.newest) and all(
            _comparable(self.latest.get(key)) == _comparable(self.newest.get(key))
            for key in _CONFIGURATION
        )

    def has_same_code(self, one: int, other: int) -> bool:
        """Whether two versions run the same code."""
        return one == other or (one in self.codes and self.codes[one] == self.codes.get(other))

    def before(self, version: int) -> int:
        """Return the newest version before ``version`` with other code; 0 when there is none."""
        older = [n for n in self.codes if n < version and not self.has_same_code(n, version)]
        return max(older, default=0)


def _comparable(value: Any) -> Any:
    """Return a value in which an absent setting and an empty one are equal."""
    if isinstance(value, Mapping):
        held = {key: _comparable(each) for key, each in value.items()}
        return {key: each for key, each in held.items() if each} or None
    return value or None


def look_at_versions(deployment: Deployment, stage: StageName) -> SeenVersions:
    """Read a function's versions and alias. Raises ``Blocked`` and ``RemoteFailure``."""
    function = look_at_function(deployment, stage)
    name = deployment.function(stage)
    listed = ask_all("lambda", "ListVersionsByFunction", "Versions", FunctionName=name)
    published = {int(each["Version"]): each for each in listed if str(each["Version"]).isdecimal()}
    numbers = sorted(published)
    # The same call for both, because a list may leave fields out.
    newest = (
        ask("lambda", "GetFunctionConfiguration", FunctionName=name, Qualifier=str(numbers[-1]))
        if numbers
        else {}
    )
    return SeenVersions(
        function,
        newest,
        {number: str(published[number].get("CodeSha256", "")) for number in numbers},
        {number: str(published[number].get("Description", "")) for number in numbers},
        _alias_of(name),
    )


def _alias_of(function: str) -> LiveAlias | None:
    held = ask_if_any("lambda", "GetAlias", FunctionName=function, Name=LIVE)
    if held is None:
        return None
    shares = (held.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    canary, weight = next(iter(shares.items()), ("0", 0.0))
    return LiveAlias(
        int(held["FunctionVersion"]), str(held.get("Description", "")), int(canary), float(weight)
    )
