"""Checks of an AWS IoT policy: errors that AWS refuses, and permissions that are too wide.

https://docs.aws.amazon.com/iot/latest/developerguide/iot-policies.html
"""

import re

from iotprov.json_text.located import START, Node, NotJSON, Problem, Severity, read_json
from iotprov.json_text.placeholders import with_examples
from iotprov.json_text.problems import suggestion
from iotprov.policy.permissions import PermissionChecker
from iotprov.policy.variables import KNOWN, THING_NAME, is_known_key, variables_in

MAX_SIZE = 2_048
"""Characters without white space: a quota of AWS IoT Core."""
MAX_TEXT = 16_384
"""Characters with white space. The limit is this server's, and bounds the work of reading."""

_NOT_FOR_IOT = dict.fromkeys(
    ("Principal", "NotPrincipal"),
    "is not for AWS IoT policies. The principal is what the policy is attached to.",
)
_CONDITION_KEYS = ("iot:ConnectAttributes", "iot:LastWillTopic")


def policy_problems(body: str) -> list[Problem]:
    """Return all problems of the policy, in the order of the text.

    An error is what AWS refuses, or what cannot have been meant. A warning is about a permission
    that reaches beyond the one device.
    """
    if len(body) > MAX_TEXT:
        message = f"The policy has {len(body):,} characters. Keep it below {MAX_TEXT:,}."
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
            START,
            f"The policy has {size:,} characters without white space. AWS IoT takes {MAX_SIZE:,}.",
        )
    return sorted(checker.problems)


class _Checker(PermissionChecker):
    """Checks a whole policy, statement by statement."""

    def check_policy(self, root: Node) -> None:
        # Step 1: the policy itself.
        if not isinstance(root.data, dict):
            self.error(root.place, "A policy is a JSON object with Version and Statement.")
            return
        self.check_keys(root, ("Version", "Id", "Statement"), "A policy")
        version = root.members.get("Version")
        if version is None or version.data != "2012-10-17":
            place = version.place if version else root.place
            self.error(
                place, 'A policy needs "Version": "2012-10-17". Older ones have no variables.'
            )
        statement = root.members.get("Statement")
        if statement is None or not statement.data:
            self.error(statement.place if statement else root.place, "The policy has no Statement.")
            return

        # Step 2: each statement. What it allows is collected for step 3.
        for node in statement.items or (statement,):
            self._check_statement(node)

        # Step 3: the statements taken together.
        if not self.is_connect_allowed:
            message = "No statement allows iot:Connect, so no device can connect."
            self.warn(statement.key_place, message)
        if not self.is_connect_pinned:
            for place in self.client_ids_in_topics:
                self.warn(
                    place,
                    "A device chooses its client ID, which may be '+'. Pin iot:Connect to the "
                    f"thing's name, or use ${{{THING_NAME}}} here.",
                )

    def _check_statement(self, node: Node) -> None:
        if not isinstance(node.data, dict):
            self.error(node.place, "A statement is an object with Effect, Action and Resource.")
            return
        self.check_keys(
            node,
            ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"),
            "A statement",
            _NOT_FOR_IOT,
        )
        effect = node.members.get("Effect")
        if effect is None or effect.data not in ("Allow", "Deny"):
            self.error(
                effect.place if effect else node.place, "A statement's Effect is Allow or Deny."
            )
        is_allowing = effect is not None and effect.data == "Allow"
        actions = self._one_of(node, "Action", "NotAction", is_allowing)
        resources = self._one_of(node, "Resource", "NotResource", is_allowing)
        self._check_variables(node)
        self._check_condition(node.members.get("Condition"))
        for action in actions:
            self.check_action(action, is_allowing)
        names = [action.data for action in actions]
        for resource in resources:
            self.check_resource(resource, names, is_allowing)

    def _one_of(self, node: Node, name: str, negated: str, is_allowing: bool) -> list[Node]:
        """Return the strings under ``name``. Its negation is legal, and mostly a mistake."""
        if negated in node.members:
            negation = node.members[negated]
            self._strings(negation)  # adds an error for each value that is not a string
            if name in node.members:
                self.error(negation.key_place, f"Give {name} or {negated}, not both.")
            if is_allowing:
                self.is_connect_pinned = False
                self.is_connect_allowed = True
                message = f"{negated} allows everything except what it names. Use {name}."
                self.warn(negation.key_place, message)
            return []
        if name not in node.members:
            self.error(node.place, f"The statement has no {name}.")
            return []
        return self._strings(node.members[name])

    def _strings(self, node: Node) -> list[Node]:
        found = []
        for candidate in node.items or (node,):
            if isinstance(candidate.data, str) and candidate.data:
                found.append(candidate)
            else:
                self.error(candidate.place, "This is a string or a list of strings.")
        return found

    def _check_variables(self, statement: Node) -> None:
        for name, part in statement.members.items():
            for text in part.texts():
                for variable in variables_in(text.data):
                    shown = f"${{{variable.name[:80]}}}"
                    if name not in ("Resource", "NotResource", "Condition"):
                        self.error(text.place, f"{shown} is not replaced in {name}.")
                    elif not variable.is_closed:
                        self.error(text.place, f"The variable {shown[:-1]} has no closing brace.")
                    elif not variable.is_known:
                        self.error(
                            text.place,
                            f"AWS IoT has no variable {shown}. "
                            f"{suggestion(variable.name, KNOWN) or 'It would not be replaced.'}",
                        )

    def _check_condition(self, condition: Node | None) -> None:
        if condition is None:
            return
        if not all(isinstance(operator.data, dict) for operator in condition.members.values()) or (
            not isinstance(condition.data, dict)
        ):
            self.error(
                condition.place, "A Condition consists of operators, each with keys and values."
            )
            return
        for operator in condition.members.values():
            for key, value in operator.members.items():
                if key.startswith("iot:") and key not in _CONDITION_KEYS and not is_known_key(key):
                    self.warn(
                        value.key_place,
                        f"AWS IoT has no condition key {key[:80]!a}. "
                        f"{suggestion(key, KNOWN) or 'The condition may never be met.'}",
                    )
