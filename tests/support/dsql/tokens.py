"""Tokens of PostgreSQL's SQL, as far as the gate's rules need them.

Lexical structure: https://www.postgresql.org/docs/16/sql-syntax-lexical.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<space>\s+|--[^\n]*)
  | (?P<comment>/\*.*?\*/)
  | (?P<string>[eEbBxXnN]?'(?:[^'\\]|''|\\.)*'|(?P<dollar>\$(?:[A-Za-z_]\w*)?\$).*?(?P=dollar))
  | (?P<quoted>(?:[uU]&)?"(?:[^"]|"")*")
  | (?P<word>[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)
  | (?P<parameter>\$\d+)
  | (?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
  | (?P<symbol>::|[-+*/<>=~!@\#%^&|`?]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Token:
    """A token: ``kind`` is word, quoted, string, number, parameter or symbol.

    ``text`` is upper case for words, the bare name for quoted names, and what is written otherwise.
    """

    kind: str
    text: str
    start: int

    @property
    def name(self) -> str:
        """Return the identifier that a word or a quoted name stands for."""
        return self.text.lower() if self.kind == "word" else self.text


def tokens(sql: str) -> list[Token]:
    """Return the tokens of ``sql``, without comments and white space."""
    return list(_tokens(sql))


def _tokens(sql: str) -> Iterator[Token]:
    for match in _TOKEN.finditer(sql):
        kind, text = match.lastgroup, match.group()
        if kind in {"space", "comment"}:
            continue
        if kind == "dollar" or text[-1:] in {"'", "$"}:
            kind = "string"
        if kind == "word":
            text = text.upper()
        elif kind == "quoted":
            text = text[text.index('"') + 1 : -1].replace('""', '"')
        assert kind is not None
        yield Token(kind, text, match.start())


def statements(sql: str) -> list[str]:
    """Return the statements of a query string, which semicolons separate. Empty ones are left out.

    A function's body is a string to PostgreSQL 16 (``$$ ... $$``), so that its semicolons are
    inside of a token.
    """
    parts, start = [], 0
    for token in (*tokens(sql), Token("symbol", ";", len(sql))):
        if token.kind == "symbol" and token.text == ";":
            part = sql[start : token.start]
            if tokens(part):
                parts.append(part.strip())
            start = token.start + 1
    return parts


def texts(found: list[Token]) -> tuple[str, ...]:
    """Return the texts of keywords and symbols; names in quotes, strings and numbers are blank.

    So a table that is called ``"savepoint"`` is never mistaken for the keyword.
    """
    return tuple(
        token.text if token.kind in {"word", "symbol"} else f"<{token.kind}>" for token in found
    )


def in_parentheses(found: list[Token]) -> list[Token]:
    """Return the tokens inside of the first pair of parentheses."""
    depth, inside = 0, []
    for token in found:
        is_symbol = token.kind == "symbol"
        if is_symbol and token.text == ")":
            depth -= 1
            if depth == 0:
                break
        if depth:
            inside.append(token)
        if is_symbol and token.text == "(":
            depth += 1
    return inside


def outside_parentheses(found: list[Token]) -> list[Token]:
    """Return the tokens that are in no parentheses. A pair is left as ``(`` and ``)``."""
    depth, outside = 0, []
    for token in found:
        is_symbol = token.kind == "symbol"
        if is_symbol and token.text == ")":
            depth -= 1
        if depth == 0:
            outside.append(token)
        if is_symbol and token.text == "(":
            depth += 1
    return outside


def at_commas(found: list[Token]) -> list[list[Token]]:
    """Return the pieces between commas that are in no parentheses."""
    depth = 0
    pieces: list[list[Token]] = [[]]
    for token in found:
        if token.kind == "symbol":
            depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(token.text, 0)
            if token.text == "," and depth == 0:
                pieces.append([])
                continue
        pieces[-1].append(token)
    return pieces
