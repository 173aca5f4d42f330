"""JSON on lines of its own, with every word as it was written."""

import json
import re

from iotprov.json_text.located import MAX_DEPTH, WORD

_INDENT = "  "
_OPENING, _CLOSING = frozenset("{["), frozenset("}]")


def is_one_line(text: str) -> bool:
    """Return whether ``text`` is an object or a list that stands on one line.

    AWS's console and command line give documents in this form.
    """
    stripped = text.strip()
    return stripped[:1] in _OPENING and "\n" not in stripped and len(stripped) > 2


def readable(text: str) -> str:
    """Return ``text`` with a line for each member and item, indented by two spaces.

    Only white space between words changes. Keys, their order, numbers and escapes stay as they are
    written, which a parser and its writer would not promise. A text that is not JSON, or that is
    nested deeper than ``MAX_DEPTH``, is returned unchanged.
    """
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    words = [match[0] for match in re.finditer(WORD, text)]
    parts: list[str] = []
    depth = 0
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in _OPENING and following not in _CLOSING:
            depth += 1
            if depth > MAX_DEPTH:  # the spaces before its lines would outgrow the text
                return text
            parts += [word, "\n", _INDENT * depth]
        elif word in _OPENING or word in _CLOSING:
            parts.append(word)
        elif word == ",":
            parts += [word, "\n", _INDENT * depth]
        elif word == ":":
            parts.append(": ")
        else:
            parts.append(word)
        if word not in _OPENING and following in _CLOSING:
            depth -= 1
            parts += ["\n", _INDENT * depth]
    return "".join(parts) + "\n"


def readable_if_one_line(text: str) -> str:
    """Return ``text`` as people can read it: laid out if it stands on one line."""
    return readable(text) if is_one_line(text) else text
