"""Whether the actions and resources of a statement fit each other, and reach only one device."""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase

from iotprov.json_text.located import Node, Place
from iotprov.json_text.placeholders import with_examples
from iotprov.json_text.problems import ProblemList, suggestion
from iotprov.policy.variables import CLIENT_ID, COMMON_NAME, THING_NAME

RESOURCE_TYPES = {
    "iot:Connect": "client",
    "iot:DeleteConnection": "client",
    "iot:GetConnection": "client",
    "iot:SendDirectMessage": "client",
    "iot:Publish": "topic",
    "iot:Receive": "topic",
    "iot:RetainPublish": "topic",
    "iot:GetRetainedMessage": "topic",
    "iot:Subscribe": "topicfilter",
    "iot:GetThingShadow": "thing",
    "iot:UpdateThingShadow": "thing",
    "iot:DeleteThingShadow": "thing",
    "iot:DescribeJobExecution": "thing",
    "iot:GetPendingJobExecutions": "thing",
    "iot:StartNextPendingJobExecution": "thing",
    "iot:UpdateJobExecution": "thing",
    "iotjobsdata:DescribeJobExecution": "thing",
    "iotjobsdata:GetPendingJobExecutions": "thing",
    "iotjobsdata:StartNextPendingJobExecution": "thing",
    "iotjobsdata:UpdateJobExecution": "thing",
    "iot:AssumeRoleWithCertificate": "rolealias",
    "iot:ListNamedShadowsForThing": "*",
    "iot:ListRetainedMessages": "*",
}
"""The kind of resource that each action of a device takes
(https://docs.aws.amazon.com/iot/latest/developerguide/iot-action-resources.html)."""

_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<name>.+)",
    re.DOTALL,
)
_REGION = re.compile(r"\*|[a-z]{2,4}(-[a-z]+)+-[0-9]+")
_ACCOUNT = re.compile(r"\*|[0-9]{12}")

_OWN_NAMES = tuple(f"${{{name}}}" for name in (THING_NAME, CLIENT_ID, COMMON_NAME))
_PINS = (f"${{{THING_NAME}}}", f"${{{COMMON_NAME}}}")


class PermissionChecker(ProblemList):
    """Checks what a statement allows: its actions, and the resources that it allows them on."""

    def __init__(self) -> None:
        super().__init__()
        self.is_connect_pinned = True
        """Whether a device can connect only under a client ID from its own identity."""
        self.is_connect_allowed = False
        self.client_ids_in_topics: list[Place] = []
        """Topics that name the client ID, which is a device's own only if it is pinned."""

    def check_action(self, node: Node, is_allowing: bool) -> None:
        action: str = node.data
        service, colon, _ = action.partition(":")
        if action != "*" and not (colon and re.fullmatch(r"[a-z0-9-]+", service)):
            self.error(node.place, f"{action[:64]!a} is not an action. Write it like iot:Connect.")
        elif action in ("*", "iot:*"):
            if is_allowing:
                message = f"{action} allows every action. Name those that devices need."
                self.warn(node.place, message)
        elif service in ("iot", "iotjobsdata") and not _matching(action, RESOURCE_TYPES):
            hint = suggestion(action, RESOURCE_TYPES) or "A certificate cannot be allowed it."
            self.warn(node.place, f"{action[:64]!a} is not an action of devices. {hint}")

    def check_resource(self, node: Node, actions: list[str], is_allowing: bool) -> None:
        # Step 1: which of the statement's actions the resource is for.
        resource: str = node.data
        allowed = {name for action in actions for name in _matching(action, RESOURCE_TYPES)}
        if is_allowing and "iot:Connect" in allowed:
            self.is_connect_allowed = True
        if resource == "*":
            if is_allowing and any(RESOURCE_TYPES[name] != "*" for name in allowed):
                self.warn(node.place, "The resource * is every client ID and every topic.")
            if is_allowing and "iot:Connect" in allowed:
                self.is_connect_pinned = False
            return

        # Step 2: an ARN, with region and account as placeholders.
        arn = _ARN.fullmatch(with_examples(resource))
        if arn is None:
            self.error(
                node.place,
                f"{resource[:80]!a} is not an ARN. Write it like "
                "arn:aws:iot:<REGION>:<ACCOUNT_ID>:topic/NAME.",
            )
            return
        if arn["service"] != "iot":
            return
        self._check_place_of_arn(node, arn)

        # Step 3: the kind of resource, then how far its name reaches.
        kind, _, name = arn["name"].partition("/")
        kinds = {RESOURCE_TYPES[action] for action in allowed}
        if kinds and kind not in kinds and not kind.startswith("*"):
            fitting = " or ".join(f"{each}/..." for each in sorted(kinds))
            self.warn(
                node.place, f"{kind}/... fits none of the statement's actions. Use {fitting}."
            )
        if not is_allowing:
            return
        if kind == "client" and "iot:Connect" in allowed:
            self._check_client(node, name)
        elif kind in ("topic", "topicfilter"):
            self._check_topic(node, kind, name, allowed)

    def _check_place_of_arn(self, node: Node, arn: re.Match[str]) -> None:
        for what, placeholder, form in (
            ("region", "<REGION>", _REGION),
            ("account", "<ACCOUNT_ID>", _ACCOUNT),
        ):
            if not form.fullmatch(arn[what]):
                self.error(
                    node.place,
                    f"The ARN's {what} is {arn[what][:40]!a}. Write {placeholder}, which is filled "
                    "for each target.",
                )

    def _check_client(self, node: Node, name: str) -> None:
        if any(pin in name for pin in _PINS) and not _has_wildcard(name):
            return
        self.is_connect_pinned = False
        if _has_wildcard(name):
            self.warn(
                node.place,
                "A wildcard in the client ID lets a device connect under another's name, and "
                f"disconnect that one. Use client/{_PINS[0]}.",
            )
        else:
            self.warn(
                node.place,
                f"iot:Connect is not tied to the thing's name. Use client/{_PINS[0]}.",
            )

    def _check_topic(self, node: Node, kind: str, name: str, allowed: Collection[str]) -> None:
        if f"${{{CLIENT_ID}}}" in name:
            self.client_ids_in_topics.append(node.place)
        if name.startswith("*"):
            self.warn(node.place, f"{kind}/{name[:40]} is every topic, reserved ones included.")
        elif name.startswith("$aws/") and not _is_own(name, allowed):
            self.warn(
                node.place,
                f"{name[:60]!a} is a reserved topic, and not one of the thing's own, which begin "
                f"with $aws/things/{_PINS[0]}/.",
            )
        elif kind == "topic" and re.search(r"(^|/)[+#](/|$)", name):
            self.warn(node.place, "+ and # are wildcards in a topicfilter, and not in a topic.")


def _matching(pattern: str, names: Collection[str]) -> list[str]:
    """Return the actions that ``pattern`` names, with IAM's wildcards and in any letter case."""
    folded = pattern.casefold().replace("[", "[[]")
    return [name for name in names if fnmatchcase(name.casefold(), folded)]


def _has_wildcard(name: str) -> bool:
    literal = name.replace("${*}", "").replace("${?}", "")
    return "*" in literal or "?" in literal


def _is_own(name: str, allowed: Collection[str]) -> bool:
    """Return whether a reserved topic is the thing's own, or goes to one rule (basic ingest)."""
    if any(name.startswith(f"$aws/things/{own}/") for own in _OWN_NAMES):
        return True
    rule = re.fullmatch(r"\$aws/rules/[a-zA-Z0-9_]+(/.*)?", name, re.DOTALL)
    return rule is not None and set(allowed) <= {"iot:Publish", "iot:RetainPublish"}
