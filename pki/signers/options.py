"""A signer's OPTIONS, read one by one. A refusal names the option, what was found and is wanted."""

import re
from collections.abc import Mapping
from typing import Any

from pki.conf import setting_name
from pki.operators.errors import OperatorError

_REGION = r"[a-z]{2,}(-[a-z]+)+-\d"
_ROLE = r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}"


class Options:
    """The OPTIONS that the configuration gives a signer. Every problem is an ``OperatorError``.

    Refusals quote values, because no option is itself a secret. An option that has to do with a
    secret holds the secret's name.
    """

    def __init__(self, signer: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
        """Refuse every name that is not in ``known``. ``signer`` is the class's name."""
        self._signer = signer
        self._given = given
        for name in given:
            if name not in known:
                taken = f"the signer takes {', '.join(known)}" if known else "it takes no options"
                raise self.problem(name, f"unknown; {taken}")

    def text(
        self, name: str, wanted: str, *, pattern: str = ".+", is_required: bool = False
    ) -> str:
        """Return the text of an option, which matches ``pattern`` in full; "" if it is not given.

        ``wanted`` describes the value that is right, for the refusal of another.
        """
        value = self._given.get(name, "")
        if value == "":
            if is_required:
                raise self.problem(name, f"missing, wanted {wanted}")
            return ""
        if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
            raise self.problem(name, f"found {value!r}, wanted {wanted}")
        return value

    def region(self, name: str = "region") -> str:
        """Return an AWS region; "" if it is not given."""
        return self.text(name, "a region such as eu-central-1", pattern=_REGION)

    def role_arn(self, name: str = "roleArn") -> str:
        """Return the ARN of a role to assume for every call; "" if it is not given."""
        return self.text(name, "the ARN of an IAM role", pattern=_ROLE)

    def seconds(self, name: str, *, default: int, most: int) -> int:
        """Return a whole number of seconds from 1 to ``most``."""
        value = self._given.get(name, default)
        if type(value) is not int or not 1 <= value <= most:  # True is an int as well
            raise self.problem(
                name, f"found {value!r}, wanted a whole number of seconds from 1 to {most}"
            )
        return value

    def number(self, name: str, wanted: str, *, default: float) -> float:
        """Return a number, whole or not."""
        value = self._given.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.problem(name, f"found {value!r}, wanted {wanted}")
        return value

    def problem(self, name: str, text: str) -> OperatorError:
        """Return the refusal of the option ``name``."""
        return OperatorError(
            f"{self._signer}: OPTIONS.{name}: {text}. Correct it under {setting_name('signers')}."
        )
