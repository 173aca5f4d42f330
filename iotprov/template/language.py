"""The values of a provisioning template: texts, and the functions that JITP has.

JITP has ``Ref``. ``Fn::Join``, which AWS documents for fleet provisioning, is read with a warning.
The other functions are for fleet provisioning only, and are refused.
"""

from iotprov.json_text.located import Node
from iotprov.json_text.placeholders import unknown_placeholder
from iotprov.json_text.problems import ProblemList, suggestion
from iotprov.template.contents import Expression, Join, Parameter, Ref
from iotprov.template.jitp import ATTRIBUTE_BY_PARAMETER, PREFIX

_PARAMETERS = (*ATTRIBUTE_BY_PARAMETER, "Id")

_UNKNOWN = Ref("Id")
"""Stands for a value that cannot be read. Its problem is in the list."""


class TemplateLanguage(ProblemList):
    """Reads values, and records which of the declared parameters they use."""

    def __init__(self) -> None:
        super().__init__()
        self.declared: dict[str, Parameter] = {}
        self.used: set[str] = set()

    def expression(self, node: Node) -> Expression:
        if isinstance(node.data, str):
            unknown = unknown_placeholder(node.data)
            if unknown:
                self.warn(
                    node.place,
                    f"{unknown} is not filled. The placeholders are <ACCOUNT_ID> and <REGION>.",
                )
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
                    f"{function} is documented for fleet provisioning only. Use Ref or Fn::Join.",
                )
                return _UNKNOWN
        self.error(
            node.place, 'A value is text in quotes, {"Ref": parameter} or {"Fn::Join": [...]}.'
        )
        return _UNKNOWN

    def ref(self, node: Node) -> Expression:
        full_name = node.data if isinstance(node.data, str) else ""
        name = full_name.removeprefix(PREFIX)
        self.used.add(name)
        if name not in self.declared or not full_name.startswith(PREFIX):
            hint = parameter_hint(full_name, is_declared=name in self.declared)
            self.error(node.place, f"{full_name[:80]!a} is not declared in Parameters. {hint}")
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
            self.error(node.place, 'Fn::Join takes a delimiter and a list: ["-", ["a", "b"]].')
            return _UNKNOWN
        self.warn(
            node.key_place,
            "AWS documents Fn::Join for fleet provisioning, not for JITP. Try it with one device.",
        )
        return Join(data[0], tuple(self.expression(part) for part in node.items[1].items))


def parameter_hint(full_name: str, *, is_declared: bool) -> str:
    """Return what a parameter that is not declared can be, as a sentence.

    Names are compared without the prefix, which makes all of them look alike.
    """
    name = full_name.removeprefix(PREFIX)
    if name in _PARAMETERS:
        if full_name.startswith(PREFIX):
            return "Declare it there."
        return f"Write {PREFIX}{name}{'' if is_declared else ', and declare that there'}."
    near = suggestion(name.rpartition(":")[2], _PARAMETERS)
    if near:
        return near.replace("Did you mean ", f"Did you mean {PREFIX}", 1)
    return f"It is {PREFIX} with one of {', '.join(_PARAMETERS)}."
