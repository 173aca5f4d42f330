"""Noting what is wrong with a document while it is read."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from iotprov.json_text.located import Node, Place, Problem, Severity


class ProblemList:
    """Collects problems, so that an operator sees all of them at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def error(self, place: Place, message: str) -> None:
        """Note what keeps the document from being pushed."""
        self.problems.append(Problem(place, Severity.ERROR, message))

    def warn(self, place: Place, message: str) -> None:
        """Note what a person should look at."""
        self.problems.append(Problem(place, Severity.WARNING, message))

    def check_keys(
        self,
        node: Node,
        known: tuple[str, ...],
        what: str,
        foreign: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Note the keys of an object that have no business there; ``what`` is it: "a thing".

        ``foreign`` are keys that people bring from elsewhere, each with what to say of it.
        """
        for key, member in node.members.items():
            if key in foreign:
                self.error(member.key_place, f"{key} {foreign[key]}")
            elif key not in known:
                hint = suggestion(key, known) or f": it has {', '.join(known)}"
                self.error(member.key_place, f"{what} has no {key[:64]!a}{hint}")


def suggestion(word: str, known: Collection[str]) -> str:
    """``": did you mean ...?"`` for what looks misspelt, else ""."""
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(word[:80].casefold(), folded, n=1, cutoff=0.75)
    return f": did you mean {folded[near[0]]}?" if near else ""
