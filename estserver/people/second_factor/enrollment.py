"""A second factor that is being set up: the secret is in the form, and not in the database yet.

So no page writes by being opened, and no row waits for a first code that never comes.
"""

import datetime
from dataclasses import dataclass
from typing import Any, Final, Self

from django.core import signing
from django.views.decorators.debug import sensitive_variables

from estserver.people.second_factor import one_time_codes
from pki.operators.errors import OperatorError

_SALT: Final = "estserver.second_factor.enrollment"
_CODES_SALT: Final = "estserver.second_factor.codes"
LONGEST: Final = datetime.timedelta(hours=1)
"""How long the page may be open."""


@dataclass(frozen=True, slots=True)
class Enrollment:
    """A secret that is offered to a person."""

    account: int
    secret: bytes

    @classmethod
    def begin(cls, person: Any) -> Self:
        """Return a new one."""
        return cls(person.pk, one_time_codes.new_secret())

    def as_token(self) -> str:
        """Return it as the value of a hidden field, signed. The page shows the secret anyway."""
        return signing.dumps({"account": self.account, "secret": self.secret.hex()}, salt=_SALT)

    @classmethod
    @sensitive_variables("said")
    def read(cls, token: str, person: Any) -> Self:
        """Return what ``as_token`` wrote for ``person``. Raises ``OperatorError``."""
        said = _read(token, _SALT)
        if said.get("account") != person.pk:
            raise OperatorError("The page was made for another account. Scan the new picture.")
        return cls(person.pk, bytes.fromhex(said["secret"]))


def codes_as_token(codes: list[str]) -> str:
    """Return recovery codes as the value of a hidden field, from which a file is made."""
    return signing.dumps({"codes": codes}, salt=_CODES_SALT)


@sensitive_variables("said")
def read_codes(token: str) -> list[str]:
    """Return what ``codes_as_token`` wrote. Raises ``OperatorError``."""
    said = _read(token, _CODES_SALT)
    return [str(code) for code in said["codes"]]


def _read(token: str, salt: str) -> dict[str, Any]:
    try:
        said: dict[str, Any] = signing.loads(token, salt=salt, max_age=LONGEST)
    except signing.BadSignature as error:
        raise OperatorError(
            "The page was open for too long, or was changed. Start again."
        ) from error
    return said
