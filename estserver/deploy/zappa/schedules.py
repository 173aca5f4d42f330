"""The schedules that Zappa makes, led to the version of the admin's function that is in service."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from estserver.deploy.deployment import LIVE, Deployment
from estserver.deploy.engine.calls import Call, ask_all, ask_if_any
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.zappa.stage import look_at_function, rules_of

SERVICE = "events.amazonaws.com"


@dataclass(frozen=True, slots=True)
class SeenSchedules:
    """The rules that call the function, by either name, and who may call the alias."""

    function_arn: str
    targets: Mapping[str, Sequence[Mapping[str, Any]]]
    """Each rule's targets in this function."""
    allowed: frozenset[str]
    """ARNs of the rules that may call the alias."""

    @property
    def alias_arn(self) -> str:
        """The ARN of the version in service."""
        return f"{self.function_arn}:{LIVE}"


@dataclass(frozen=True)
class Schedules(Step[SeenSchedules]):
    """The target of each schedule. Zappa targets ``$LATEST``, and does so at each update."""

    deployment: Deployment
    name = "admin: schedules"

    def look(self) -> SeenSchedules:
        """Read the rules, and the alias's policy. Raises ``Blocked`` before Zappa's deployment."""
        arn = str(look_at_function(self.deployment, "admin")["FunctionArn"])
        ours = (arn, f"{arn}:{LIVE}")
        targets = {
            rule: [
                target
                for target in ask_all("events", "ListTargetsByRule", "Targets", Rule=rule)
                if target["Arn"] in ours
            ]
            for rule in rules_of(arn)
        }
        held = ask_if_any(
            "lambda",
            "GetPolicy",
            FunctionName=self.deployment.function("admin"),
            Qualifier=LIVE,
        )
        statements = json.loads(held["Policy"])["Statement"] if held else []
        allowed = frozenset(_source(each) for each in statements if _is_for(each, f"{arn}:{LIVE}"))
        return SeenSchedules(arn, targets, allowed)

    def plan(self, seen: SeenSchedules) -> Plan:
        """Let each rule call the alias, then lead it there, and nowhere else."""
        calls: list[Call] = []
        for rule, targets in seen.targets.items():
            rule_arn = self.deployment.arn("events", f"rule/{rule}")
            if rule_arn not in seen.allowed:
                calls.append(self._allow(rule, rule_arn))
            calls += _led_to_alias(rule, targets, seen.alias_arn)
        return Plan(tuple(calls)) if calls else DONE

    def _allow(self, rule: str, rule_arn: str) -> Call:
        return Call(
            "lambda",
            "AddPermission",
            f"the schedule {rule} may not call the version in service",
            {
                "FunctionName": self.deployment.function("admin"),
                "Qualifier": LIVE,
                "StatementId": f"schedule-{rule.rpartition('.')[2]}",
                "Action": "lambda:InvokeFunction",
                "Principal": SERVICE,
                "SourceArn": rule_arn,
                "SourceAccount": self.deployment.account,
            },
        )


def _led_to_alias(rule: str, targets: Sequence[Mapping[str, Any]], alias: str) -> list[Call]:
    there = [target for target in targets if target["Arn"] == alias]
    elsewhere = [target for target in targets if target["Arn"] != alias]
    if elsewhere and not there:
        # The first keeps its id and its input, which the handler reads.
        target = {**elsewhere.pop(0), "Arn": alias}
        reason = f"the schedule {rule} calls what was uploaded last, not the version in service"
        return [Call("events", "PutTargets", reason, {"Rule": rule, "Targets": [target]})]
    surplus = [target["Id"] for target in (*elsewhere, *there[1:])]
    if not surplus:
        return []
    reason = f"the schedule {rule} calls the function twice"
    return [Call("events", "RemoveTargets", reason, {"Rule": rule, "Ids": surplus})]


def _source(statement: Mapping[str, Any]) -> str:
    condition = statement.get("Condition", {})
    return str(condition.get("ArnLike", {}).get("AWS:SourceArn", ""))


def _is_for(statement: Mapping[str, Any], resource: str) -> bool:
    return (
        statement.get("Resource") == resource
        and statement.get("Principal", {}).get("Service") == SERVICE
    )
