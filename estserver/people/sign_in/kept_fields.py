"""What a person typed into a form, kept while the person signs in again or the token is renewed.

The fields travel in the page, as hidden ones, and are in no session, database or log. Secrets are
left out: what a field's name says is one, and any text that holds a private key. So are files.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from django.http import QueryDict

MOST_CHARACTERS = 64 * 1024
"""How much text is kept. A denylist of thousands of lines is a file, which is not kept anyway."""

_SECRET_NAME = re.compile(r"pass|secret|token|otp|pin$|private|^code$", re.IGNORECASE)
_PRIVATE_KEY = "PRIVATE KEY"


@dataclass(frozen=True, slots=True)
class KeptFields:
    """Names and values in the order of the form, and the names of what was left out."""

    fields: tuple[tuple[str, str], ...] = ()
    left_out: tuple[str, ...] = ()

    @classmethod
    def of_form(cls, posted: QueryDict, files: Iterable[str] = ()) -> "KeptFields":
        """Return what may be kept of a form that was sent."""
        fields, left_out = [], [*files]
        for name, values in posted.lists():
            if name == "csrfmiddlewaretoken":
                continue
            for value in values:
                if _SECRET_NAME.search(name) or _PRIVATE_KEY in value.upper():
                    left_out.append(name)
                else:
                    fields.append((name, value))
        if sum(len(name) + len(value) for name, value in fields) > MOST_CHARACTERS:
            return cls((), tuple(dict.fromkeys([*(name for name, _ in fields), *left_out])))
        return cls(tuple(fields), tuple(dict.fromkeys(left_out)))

    @classmethod
    def read(cls, text: str) -> "KeptFields":
        """Return what ``as_text`` wrote; nothing of a text that it did not write."""
        try:
            fields = [(name, value) for name, value in json.loads(text)]
        except (ValueError, TypeError):
            return cls()
        posted = QueryDict(mutable=True)
        for name, value in fields:
            if not (isinstance(name, str) and isinstance(value, str)):
                return cls()
            posted.appendlist(name, value)
        return cls.of_form(posted)

    def as_text(self) -> str:
        """Return the fields as the value of one hidden field."""
        return json.dumps(self.fields, ensure_ascii=True)
