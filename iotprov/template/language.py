"""The language of a provisioning template's values, as far as JITP has it.

Of the functions, JITP has ``Ref``. ``Fn::Join``, which AWS documents for fleet provisioning, is
read too, with a warning; the others are for fleet provisioning only, and refused.
"""

from iotprov.json_text.located import Node
from iotprov.json_text.placeholders import unknown_placeholder
from iotprov.json_text.problems import ProblemList, suggestion
from iotprov.template.contents import Expression, Join, Parameter, Ref
from iotprov.template.jitp import PREFIX

_UNKNOWN = Ref("Id")
"""Stands for a value that can't be read; its problem is noted."""


class TemplateLanguage(ProblemList):
    """Reads values, and remembers which of the declared parameters they use."""

    def __init__(self) -> None:
        super().__init__()
        self.declared: dict[str, Parameter] = {}
        self.used: set[str] = set()

    def expression(self, node: Node) -> Expression:
        if isinstance(node.data, str):
            unknown = unknown_placeholder(node.data)
            if unknown:
                self.warn(node.place, f"{unknown} isn't filled: only <ACCOUNT_ID> and <REGION> are")
            return node.data
        if isinstance(node.data, dict) and len(node.data) == 1:
            ((function, argument),) = node.members.items()
            if function == "Ref":
                return self.ref(argument)
            if function == "Fn::Join":
                return self._join(argument)
            if function.startswith("Fn::"):
                self.error(
                    argument.key_place,
                    f"{function} is documented for fleet provisioning only; JITP has Ref and "
                    "Fn::Join",
                )
                return _UNKNOWN
        self.error(
            node.place, 'a value is text in quotes, {"Ref": parameter} or {"Fn::Join": [...]}'
        )
        return _UNKNOWN

    def ref(self, node: Node) -> Expression:
        full_name = node.data if isinstance(node.data, str) else ""
        name = full_name.removeprefix(PREFIX)
        self.used.add(name)
        if name not in self.declared or not full_name.startswith(PREFIX):
            known = [f"{PREFIX}{declared}" for declared in self.declared]
            self.error(
                node.place,
                f"{full_name[:80]!a} isn't declared in Parameters"
                f"{suggestion(full_name, known) or ': declare it there'}",
            )
        return Ref(name)

    def _join(self, node: Node) -> Expression:
        data = node.data
        is_wellformed = (
            isinstance(data, list)
            and len(data) == 2
            and isinstance(data[0], str)
            and isinstance(data[1], list)
        )
        if not is_wellformed:
            self.error(node.place, 'Fn::Join takes a delimiter and a list: ["-", ["a", "b"]]')
            return _UNKNOWN
        self.warn(
            node.key_place,
            "AWS documents Fn::Join for fleet provisioning, not for JITP: try it with one device",
        )
        return Join(data[0], tuple(self.expression(part) for part in node.items[1].items))
