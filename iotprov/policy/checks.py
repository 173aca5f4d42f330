"""What is wrong with an AWS IoT policy: what AWS refuses, and what it takes without a word.

https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html
"""

import re
from collections.abc import Collection
from fnmatch import fnmatchcase

from iotprov.json_text.located import START, Node, NotJSON, Place, Problem, Severity, read_json
from iotprov.json_text.placeholders import with_examples
from iotprov.json_text.problems import ProblemList, suggestion
from iotprov.policy.variables import (
    CLIENT_ID,
    COMMON_NAME,
    KNOWN,
    THING_NAME,
    is_known_key,
    variables_in,
)

MAX_SIZE = 2_048
"""Characters, white space not counted: a quota of AWS IoT Core."""
MAX_TEXT = 16_384
"""Characters with white space; ours, so that nobody has us read a book."""

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
"""What each action of a device is allowed on
(https://docs.aws.amazon.com/iot/latest/developerguide/iot-action-resources.html)."""

_OF_OTHER_POLICIES = dict.fromkeys(
    ("Principal", "NotPrincipal"),
    "isn't for AWS IoT policies: whom the policy is attached to is the principal",
)
_CONDITION_KEYS = ("iot:ConnectAttributes", "iot:LastWillTopic")

_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):(?P<region>[^:]*):(?P<account>[^:]*):(?P<name>.+)",
    re.DOTALL,
)
_REGION = re.compile(r"\*|[a-z]{2,4}(-[a-z]+)+-[0-9]+")
_ACCOUNT = re.compile(r"\*|[0-9]{12}")

_OWN_NAMES = tuple(f"${{{name}}}" for name in (THING_NAME, CLIENT_ID, COMMON_NAME))
_PINS = (f"${{{THING_NAME}}}", f"${{{COMMON_NAME}}}")


def policy_problems(body: str) -> list[Problem]:
    """Everything that is wrong with the policy, in the order of the text.

    Errors are what AWS refuses, or what can't mean what was meant; warnings are permissions that
    reach beyond the one device.
    """
    if len(body) > MAX_TEXT:
        message = f"it is {len(body):,} characters long; keep it below {MAX_TEXT:,}"
        return [Problem(START, Severity.ERROR, message)]
    try:
        root = read_json(body)
    except NotJSON as error:
        return [error.problem]
    checker = _Checker()
    checker.check_policy(root)
    size = len(re.sub(r"\s", "", with_examples(body)))
    if size > MAX_SIZE:
        checker.error(
            START, f"it has {size:,} characters without white space; AWS IoT takes {MAX_SIZE:,}"
        )
    return sorted(checker.problems)


class _Checker(ProblemList):
    """Goes through the statements, and notes what is wrong."""

    def __init__(self) -> None:
        super().__init__()
        self._is_connect_pinned = True
        self._is_connect_allowed = False
        self._client_ids_in_topics: list[Place] = []

    def check_policy(self, root: Node) -> None:
        if not isinstance(root.data, dict):
            self.error(root.place, "a policy is a JSON object with Version and Statement")
            return
        self.check_keys(root, ("Version", "Id", "Statement"), "a policy")
        version = root.members.get("Version")
        if version is None or version.data != "2012-10-17":
            place = version.place if version else root.place
            self.error(
                place, 'a policy needs "Version": "2012-10-17"; older ones know no variables'
            )
        statement = root.members.get("Statement")
        if statement is None or not statement.data:
            self.error(statement.place if statement else root.place, "the policy has no Statement")
            return
        for node in statement.items or (statement,):
            self._check_statement(node)
        if not self._is_connect_allowed:
            self.warn(statement.key_place, "no statement allows iot:Connect: no device can connect")
        if not self._is_connect_pinned:
            for place in self._client_ids_in_topics:
                self.warn(
                    place,
                    f"a device chooses its client ID, even '+': pin iot:Connect, or use "
                    f"${{{THING_NAME}}} here",
                )

    def _check_statement(self, node: Node) -> None:
        if not isinstance(node.data, dict):
            self.error(node.place, "a statement is an object with Effect, Action and Resource")
            return
        self.check_keys(
            node,
            ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"),
            "a statement",
            _OF_OTHER_POLICIES,
        )
        effect = node.members.get("Effect")
        if effect is None or effect.data not in ("Allow", "Deny"):
            self.error(
                effect.place if effect else node.place, "a statement's Effect is Allow or Deny"
            )
        is_allowing = effect is not None and effect.data == "Allow"
        actions = self._one_of(node, "Action", "NotAction", is_allowing)
        resources = self._one_of(node, "Resource", "NotResource", is_allowing)
        self._check_variables(node)
        self._check_condition(node.members.get("Condition"))
        for action in actions:
            self._check_action(action, is_allowing)
        names = [action.data for action in actions]
        for resource in resources:
            self._check_resource(resource, names, is_allowing)

    def _one_of(self, node: Node, name: str, negated: str, is_allowing: bool) -> list[Node]:
        """The strings under ``name``. Its negation is legal, and mostly a mistake."""
        if negated in node.members:
            negation = node.members[negated]
            self._strings(negation)  # looked at for what isn't one
            if name in node.members:
                self.error(negation.key_place, f"give {name} or {negated}, not both")
            if is_allowing:
                self._is_connect_pinned = False
                self._is_connect_allowed = True
                message = f"{negated} allows everything but what it names: use {name}"
                self.warn(negation.key_place, message)
            return []
        if name not in node.members:
            self.error(node.place, f"the statement has no {name}")
            return []
        return self._strings(node.members[name])

    def _strings(self, node: Node) -> list[Node]:
        found = []
        for candidate in node.items or (node,):
            if isinstance(candidate.data, str) and candidate.data:
                found.append(candidate)
            else:
                self.error(candidate.place, "this is a string, or a list of them")
        return found

    def _check_variables(self, statement: Node) -> None:
        for name, part in statement.members.items():
            for text in part.texts():
                for variable in variables_in(text.data):
                    shown = f"${{{variable.name[:80]}}}"
                    if name not in ("Resource", "NotResource", "Condition"):
                        self.error(text.place, f"{shown} isn't replaced in {name}")
                    elif not variable.is_closed:
                        self.error(text.place, f"the variable {shown[:-1]} has no closing brace")
                    elif not variable.is_known:
                        self.error(
                            text.place,
                            f"AWS IoT has no variable {shown}"
                            f"{suggestion(variable.name, KNOWN) or ', and would leave it so'}",
                        )

    def _check_condition(self, condition: Node | None) -> None:
        if condition is None:
            return
        if not all(isinstance(operator.data, dict) for operator in condition.members.values()) or (
            not isinstance(condition.data, dict)
        ):
            self.error(condition.place, "a Condition holds operators, each with keys and values")
            return
        for operator in condition.members.values():
            for key, value in operator.members.items():
                if key.startswith("iot:") and key not in _CONDITION_KEYS and not is_known_key(key):
                    self.warn(
                        value.key_place,
                        f"AWS IoT has no condition key {key[:80]!a}"
                        f"{suggestion(key, KNOWN) or ': the condition may never hold'}",
                    )

    def _check_action(self, node: Node, is_allowing: bool) -> None:
        action: str = node.data
        service, colon, _ = action.partition(":")
        if action != "*" and not (colon and re.fullmatch(r"[a-z0-9-]+", service)):
            self.error(node.place, f"{action[:64]!a} isn't an action: they look like iot:Connect")
        elif action in ("*", "iot:*"):
            if is_allowing:
                self.warn(node.place, f"{action} allows every action: name those that devices need")
        elif service in ("iot", "iotjobsdata") and not _matching(action, RESOURCE_TYPES):
            hint = suggestion(action, RESOURCE_TYPES) or ": a certificate can't be allowed it"
            self.warn(node.place, f"{action[:64]!a} isn't an action of devices{hint}")

    def _check_resource(self, node: Node, actions: list[str], is_allowing: bool) -> None:
        resource: str = node.data
        allowed = {name for action in actions for name in _matching(action, RESOURCE_TYPES)}
        if is_allowing and "iot:Connect" in allowed:
            self._is_connect_allowed = True
        if resource == "*":
            if is_allowing and any(RESOURCE_TYPES[name] != "*" for name in allowed):
                self.warn(node.place, "the resource * is every client ID and every topic")
            if is_allowing and "iot:Connect" in allowed:
                self._is_connect_pinned = False
            return
        arn = _ARN.fullmatch(with_examples(resource))
        if arn is None:
            self.error(
                node.place,
                f"{resource[:80]!a} isn't an ARN: they look like "
                "arn:aws:iot:<REGION>:<ACCOUNT_ID>:topic/...",
            )
            return
        if arn["service"] != "iot":
            return
        self._check_place_of_arn(node, arn)
        kind, _, name = arn["name"].partition("/")
        kinds = {RESOURCE_TYPES[action] for action in allowed}
        if kinds and kind not in kinds and not kind.startswith("*"):
            wanted = " or ".join(f"{each}/..." for each in sorted(kinds))
            self.warn(node.place, f"{kind}/... fits none of the statement's actions: {wanted} does")
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
                    f"the ARN's {what} is {arn[what][:40]!a}: write {placeholder}, which is filled",
                )

    def _check_client(self, node: Node, name: str) -> None:
        if any(pin in name for pin in _PINS) and not _has_wildcard(name):
            return
        self._is_connect_pinned = False
        if _has_wildcard(name):
            self.warn(
                node.place,
                "a wildcard in the client ID lets a device connect under another's name, and "
                f"disconnect it: use client/{_PINS[0]}",
            )
        else:
            self.warn(
                node.place,
                f"iot:Connect isn't tied to the thing's name: use client/{_PINS[0]}",
            )

    def _check_topic(self, node: Node, kind: str, name: str, allowed: Collection[str]) -> None:
        if f"${{{CLIENT_ID}}}" in name:
            self._client_ids_in_topics.append(node.place)
        if name.startswith("*"):
            self.warn(node.place, f"{kind}/{name[:40]} is every topic, reserved ones included")
        elif name.startswith("$aws/") and not _is_own(name, allowed):
            self.warn(
                node.place,
                f"{name[:60]!a} is a reserved topic that isn't the thing's own: "
                f"$aws/things/{_PINS[0]}/... is",
            )
        elif kind == "topic" and re.search(r"(^|/)[+#](/|$)", name):
            self.warn(node.place, "+ and # are wildcards in topicfilter/... only, not in topic/...")


def _matching(pattern: str, names: Collection[str]) -> list[str]:
    """The actions that ``pattern`` names; IAM's wildcards, letter case doesn't count."""
    folded = pattern.casefold().replace("[", "[[]")
    return [name for name in names if fnmatchcase(name.casefold(), folded)]


def _has_wildcard(name: str) -> bool:
    literal = name.replace("${*}", "").replace("${?}", "")
    return "*" in literal or "?" in literal


def _is_own(name: str, allowed: Collection[str]) -> bool:
    """Whether a reserved topic is the thing's own, or goes to one rule (basic ingest)."""
    if any(name.startswith(f"$aws/things/{own}/") for own in _OWN_NAMES):
        return True
    rule = re.fullmatch(r"\$aws/rules/[a-zA-Z0-9_]+(/.*)?", name, re.DOTALL)
    return rule is not None and set(allowed) <= {"iot:Publish", "iot:RetainPublish"}
