"""A signer's OPTIONS, taken one by one; what is wrong with one is said in a sentence."""

import re
from collections.abc import Mapping
from typing import Any

from pki.conf import setting_name
from pki.operators.errors import OperatorError


class Options:
    """What the configuration gives a signer. Every problem is an ``OperatorError``.

    Values are quoted in refusals: no option is itself a secret, only ever the name of one.
    """

    def __init__(self, signer: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
        """``signer`` is the class's name; ``known`` are the options that it takes."""
        self._signer = signer
        self._given = given
        for name in given:
            if name not in known:
                raise self.problem(name, f"unknown; the signer takes {', '.join(known)}")

    def text(self, name: str, pattern: str, wanted: str, *, is_required: bool = False) -> str:
        """The text of an option that matches ``pattern`` in full; "" when it isn't given."""
        value = self._given.get(name, "")
        if value == "":
            if is_required:
                raise self.problem(name, f"missing, wanted {wanted}")
            return ""
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise self.problem(name, f"found {value!r}, wanted {wanted}")
        return value

    def seconds(self, name: str, *, default: int, most: int) -> int:
        """A whole number of seconds from 1 to ``most``."""
        value = self._given.get(name, default)
        if type(value) is not int or not 1 <= value <= most:  # True is an int as well
            raise self.problem(
                name, f"found {value!r}, wanted a whole number of seconds from 1 to {most}"
            )
        return value

    def problem(self, name: str, text: str) -> OperatorError:
        """A refusal of the option ``name``."""
        return OperatorError(
            f"{self._signer}: OPTIONS.{name}: {text}. Correct it under {setting_name('signers')}"
        )
