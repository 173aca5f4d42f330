"""The rule that a thing belongs to one device: its name is made from the certificate's CommonName.

A common name has one holder in the whole installation (``pki.issuance.name_rules``). No other
attribute of a subject is guarded in this way: a ThingName from the serialNumber, or a literal one,
would put two devices on one thing, with one shadow and one set of topics (threat T47).
"""

from iotprov.json_text.located import Problem, Severity
from iotprov.template.contents import Expression, Join, Ref, Template
from iotprov.template.jitp import PREFIX

COMMON_NAME = "CommonName"


def is_named_after_common_name(template: Template) -> bool:
    """Return whether two common names always give two thing names.

    That holds for the common name alone, or once with fixed text around it.
    """
    return _counts(template.thing_name) == (1, 0)


def thing_name_problems(template: Template, severity: Severity) -> list[Problem]:
    """Return the problem of a ThingName that two devices may have in common, or nothing.

    A thing without a name has none: that is a structural error, which ``read_template`` reports.
    """
    if template.thing_name == "" or is_named_after_common_name(template):
        return []
    return [
        Problem(
            template.thing_name_place,
            severity,
            f"The ThingName is {_in_words(template.thing_name)}. Two devices could get one thing, "
            f"because only the common name belongs to one device. Use "
            f'{{"Ref": "{PREFIX}{COMMON_NAME}"}}, alone or once in an Fn::Join with fixed text.',
        )
    ]


def _counts(expression: Expression) -> tuple[int, int]:
    """Return how often the common name, and how often another parameter is part of it."""
    if isinstance(expression, Join):
        counts = [_counts(part) for part in expression.parts]
        return sum(count[0] for count in counts), sum(count[1] for count in counts)
    if isinstance(expression, Ref):
        return (1, 0) if expression.parameter == COMMON_NAME else (0, 1)
    return 0, 0


def _in_words(expression: Expression) -> str:
    own, others = _counts(expression)
    if not own and not others:
        return "the same for every device"
    names = ", ".join(dict.fromkeys(_parameters(expression)))
    if own and not others:
        return f"made from {names} more than once"
    return f"made from {names}"


def _parameters(expression: Expression) -> list[str]:
    if isinstance(expression, Join):
        return [name for part in expression.parts for name in _parameters(part)]
    return [expression.parameter] if isinstance(expression, Ref) else []
