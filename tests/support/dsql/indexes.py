"""CREATE INDEX, as far as Aurora DSQL takes it.

Expressions are taken since August 2026, WHERE since September 2026.
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/create-index-syntax-support.html
"""

from tests.support.dsql.refusals import (
    ASYNC_INDEXES,
    CREATE_INDEX,
    QUOTAS,
    TOO_MANY_COLUMNS,
    Refusal,
)
from tests.support.dsql.tokens import Token, at_commas, in_parentheses, outside_parentheses, texts

COLUMNS = 8
"""The most columns of a key."""


def check_create_index(found: list[Token], words: tuple[str, ...]) -> None:
    """Raise Refusal for an index that Aurora DSQL does not make."""
    if "CONCURRENTLY" in words[:4] or words[words.index("INDEX") + 1] != "ASYNC":
        raise Refusal("unsupported mode. please use CREATE INDEX ASYNC.", ASYNC_INDEXES)
    outer = texts(outside_parentheses(found))
    before_keys = outer[: outer.index("(")]
    if "USING" in before_keys:
        raise Refusal("USING not supported for CREATE INDEX", CREATE_INDEX)
    if {"WITH", "TABLESPACE"} & {*outer}:
        raise Refusal("storage parameters not supported for CREATE INDEX", CREATE_INDEX)
    keys = at_commas(in_parentheses(found))
    for key in keys:
        _check_key(key)
    if len(keys) > COLUMNS:
        raise Refusal(
            "more than 8 column keys in an index are not supported", QUOTAS, TOO_MANY_COLUMNS
        )


def _check_key(key: list[Token]) -> None:
    """Refuse what the page's ``{ column_name | ( expression ) } [ NULLS ... ]`` does not have."""
    words = texts(outside_parentheses(key))
    if {"ASC", "DESC"} & {*words}:
        raise Refusal("specifying sort order not supported for index keys", CREATE_INDEX)
    if "COLLATE" in words:
        raise Refusal("COLLATE not supported for index keys", CREATE_INDEX)
    is_expression = words[0] == "(" or words[1:2] == ("(",)
    rest = words[words.index(")") + 1 :] if is_expression else words[1:]
    if rest and rest[0] != "NULLS":
        raise Refusal("operator classes not supported for index keys", CREATE_INDEX)
