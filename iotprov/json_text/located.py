"""JSON whose values carry their line and column, so that a message can point at them."""

import json
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, NoReturn

MAX_DEPTH = 32
"""How deep a document may be nested. A provisioning template needs seven levels."""


class Severity(StrEnum):
    """Whether a document with this problem may be pushed: only without an error."""

    ERROR = "error"
    WARNING = "warning"


class Place(NamedTuple):
    """A line and a column, both counted from 1."""

    line: int
    column: int


START = Place(1, 1)


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A fault of a document: where it is, how severe it is, and a sentence about it."""

    place: Place
    severity: Severity
    message: str

    @property
    def is_error(self) -> bool:
        """Return whether it keeps the document from being pushed."""
        return self.severity is Severity.ERROR

    def __str__(self) -> str:
        return f"Line {self.place.line}, column {self.place.column}: {self.message}"


class NotJSON(ValueError):
    """The text is not JSON, or is JSON that two parsers may read differently."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(str(problem))


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value with its place. ``key_place`` is the place of the key above the value."""

    data: Any
    place: Place
    key_place: Place
    members: Mapping[str, "Node"] = field(default_factory=dict)
    items: tuple["Node", ...] = ()

    def texts(self) -> "Iterator[Node]":
        """Return every string value in it, itself included. Keys are not values."""
        if isinstance(self.data, str):
            yield self
        for inner in (*self.members.values(), *self.items):
            yield from inner.texts()


def read_json(text: str) -> Node:
    """Read a document. Raises ``NotJSON`` for a text that every parser refuses, or that some do.

    Parsers differ on duplicate keys (RFC 8259 4), ``NaN``, lone surrogates and deep nesting.
    """
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise _not_json(
            Place(error.lineno, error.colno), f"This is not JSON: {error.msg}."
        ) from None
    except RecursionError:
        raise _too_deep(START) from None
    except NotJSON:
        raise
    except ValueError as error:  # a number with thousands of digits
        raise _not_json(START, f"AWS does not read this JSON: {error}.") from None
    return _Reader(text).document()


def _refuse_constant(name: str) -> NoReturn:
    raise _not_json(START, f"{name} is not JSON. Write a number or a string.")


def _not_json(place: Place, message: str) -> NotJSON:
    return NotJSON(Problem(place, Severity.ERROR, message))


def _too_deep(place: Place) -> NotJSON:
    return _not_json(place, f"The document is nested deeper than {MAX_DEPTH} levels.")


WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
"""A string, a sign or another word of JSON. White space lies between words."""


class _Reader:
    """Finds the places in a text that is known to be JSON, so it does not check the grammar."""

    def __init__(self, text: str) -> None:
        self._words = WORD.finditer(text)
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def document(self) -> Node:
        word, place = self._next()
        return self._value(word, place, place, depth=1)

    def _next(self) -> tuple[str, Place]:
        match = next(self._words)
        line = bisect_right(self._line_starts, match.start())
        return match[0], Place(line, match.start() - self._line_starts[line - 1] + 1)

    def _value(self, word: str, place: Place, key_place: Place, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise _too_deep(place)
        if word == "{":
            members = self._members(depth)
            data = {key: node.data for key, node in members.items()}
            return Node(data, place, key_place, members=members)
        if word == "[":
            items = tuple(self._items(depth))
            return Node([node.data for node in items], place, key_place, items=items)
        return Node(_scalar(word, place), place, key_place)

    def _members(self, depth: int) -> dict[str, Node]:
        members: dict[str, Node] = {}
        word, place = self._next()
        while word != "}":
            if word != ",":
                key = _scalar(word, place)
                if key in members:
                    first = members[key].key_place.line
                    raise _not_json(
                        place, f"The key {key!r} is in line {first} already. Remove one."
                    )
                self._next()  # the colon
                members[key] = self._value(*self._next(), place, depth + 1)
            word, place = self._next()
        return members

    def _items(self, depth: int) -> Iterator[Node]:
        word, place = self._next()
        while word != "]":
            if word != ",":
                yield self._value(word, place, place, depth + 1)
            word, place = self._next()


def _scalar(word: str, place: Place) -> Any:
    value = json.loads(word)
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _not_json(
                place, "The string has half of a surrogate pair, which is not text."
            ) from None
    return value
