"""ARNs of a policy that name another account or region than the target that the policy goes to.

AWS IoT takes such a policy. Devices that have it may then do nothing, or not what was meant.
"""

import re

from iotprov.json_text.located import Node, NotJSON, Problem, Severity, read_json
from iotprov.json_text.placeholders import has_only_placeholder

_ARN = re.compile(r"arn:aws[a-z-]*:iot:(?P<region>[^:]*):(?P<account>[^:]*):", re.IGNORECASE)


def foreign_places(body: str, *, account: str, region: str, target: str) -> list[Problem]:
    """Return a warning for each place that is not the target's, where it is first named.

    ``body`` is the text with its placeholders, which are the target's by definition. ``target`` is
    the target's name, ``account`` and ``region`` are where it is. A text that is not JSON has none.
    """
    try:
        root = read_json(body)
    except NotJSON:
        return []
    found: dict[tuple[str, str], Node] = {}
    for node in root.texts():
        arn = _ARN.match(node.data)
        if arn is None:
            continue
        named = _place(arn["account"], account), _place(arn["region"], region)
        if named != (account, region):
            found.setdefault(named, node)
    return [
        Problem(
            node.place,
            Severity.WARNING,
            f"The policy names account {named_account} and region {named_region}, and the target "
            f"{target} is account {account} and region {region}. Devices there get nothing from "
            "it. Write <ACCOUNT_ID> and <REGION>, which are filled for each target.",
        )
        for (named_account, named_region), node in found.items()
    ]


def _place(named: str, own: str) -> str:
    """Return the account or region that an ARN names; a wildcard or placeholder means the own."""
    return own if named in ("", "*") or has_only_placeholder(named) else named
