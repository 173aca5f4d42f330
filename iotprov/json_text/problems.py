"""The list of problems that a reader of a document fills."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from types import MappingProxyType

from iotprov.json_text.located import Node, Place, Problem, Severity


class ProblemList:
    """Collects problems, so that an operator sees all of them at once."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def error(self, place: Place, message: str) -> None:
        """Add a problem that keeps the document from being pushed."""
        self.problems.append(Problem(place, Severity.ERROR, message))

    def warn(self, place: Place, message: str) -> None:
        """Add a problem that an operator should look at."""
        self.problems.append(Problem(place, Severity.WARNING, message))

    def check_keys(
        self,
        node: Node,
        known: tuple[str, ...],
        what: str,
        foreign: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Add an error for each key of an object that is not ``known``.

        ``what`` names the object at the beginning of a sentence: "A thing". ``foreign`` are keys
        of other languages, each with the rest of a sentence about it.
        """
        for key, member in node.members.items():
            if key in foreign:
                self.error(member.key_place, f"{key} {foreign[key]}")
            elif key not in known:
                hint = suggestion(key, known) or f"It has {', '.join(known)}."
                self.error(member.key_place, f"{what} has no {key[:64]!a}. {hint}")


def suggestion(word: str, known: Collection[str]) -> str:
    """Return ``"Did you mean ...?"`` for a word that looks misspelt, else ""."""
    folded = {name.casefold(): name for name in known}
    near = get_close_matches(word[:80].casefold(), folded, n=1, cutoff=0.75)
    return f"Did you mean {folded[near[0]]}?" if near else ""
