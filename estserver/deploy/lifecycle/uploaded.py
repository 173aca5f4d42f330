"""What a stage's function and API lack of the package and the settings at hand."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.engine.calls import ask
from estserver.deploy.front_door.api_settings import look_at_api
from estserver.deploy.zappa.settings import COMMON, read_settings, rendered
from estserver.deploy.zappa.stage import look_at_stage, rules_of

_SETTINGS: Mapping[str, str] = {
    "Description": "lambda_description",
    "Handler": "lambda_handler",
    "MemorySize": "memory_size",
    "Role": "role_arn",
    "Runtime": "runtime",
    "Timeout": "timeout_seconds",
}
"""Zappa's setting for each part of a function's configuration."""


def code_digest(package: Path) -> str:
    """Return the digest that Lambda gives the code of a package (``CodeSha256``)."""
    return base64.b64encode(hashlib.sha256(package.read_bytes()).digest()).decode()


def reasons_to_deploy(
    deployment: Deployment, stage: StageName, package: Path | None
) -> Iterator[str]:
    """Yield why Zappa has something to do, as phrases; nothing when it has not.

    Without a ``package`` its code is not compared. Raises ``RemoteFailure``.
    """
    name = deployment.function(stage)
    seen = look_at_stage(deployment, stage)
    if not seen.function:
        yield f"there is no function {name}"
        return
    if not seen.is_deployed:
        yield f"an earlier deployment of {name} was cut off"
        return
    if package and seen.function.get("CodeSha256") != code_digest(package):
        yield "the function has other code"
    settings = rendered(read_settings(), deployment)
    wanted = {**settings[COMMON], **settings[stage]}
    for key, setting in _SETTINGS.items():
        if seen.function.get(key) != wanted.get(setting):
            yield f"the function has another {key}"
    if seen.function.get("Architectures", ["x86_64"]) != [wanted["architecture"]]:
        yield "the function has another architecture"
    if _network(seen.function.get("VpcConfig")) != _network(wanted.get("vpc_config")):
        yield "the function is in another network"
    tags = ask("lambda", "ListTags", Resource=seen.function["FunctionArn"])["Tags"]
    if not wanted["tags"].items() <= tags.items():
        yield "the function has other tags"
    alias = f":function:{deployment.live_function(stage)}/invocations"
    if not all(each.uri.endswith(alias) for each in look_at_api(deployment, stage).integrations):
        yield "the API calls what was uploaded last, not the version in service"
    rules = rules_of(str(seen.function["FunctionArn"]))
    for event in wanted.get("events", ()):
        if not any(rule.endswith(event["function"]) for rule in rules):
            yield f"{event['function']} has no schedule"


def _network(config: Mapping[str, Any] | None) -> tuple[set[str], set[str]]:
    held = config or {}
    return set(held.get("SubnetIds") or ()), set(held.get("SecurityGroupIds") or ())
