"""CREATE TABLE and ALTER TABLE, as far as Aurora DSQL takes them.

https://docs.aws.amazon.com/aurora-dsql/latest/userguide/create-table-syntax-support.html
https://docs.aws.amazon.com/aurora-dsql/latest/userguide/alter-table-syntax-support.html
"""

from tests.support.dsql.indexes import COLUMNS
from tests.support.dsql.refusals import (
    ALTER_TABLE,
    CREATE_SEQUENCE,
    CREATE_TABLE,
    DATA_TYPES,
    QUOTAS,
    TOO_MANY_COLUMNS,
    Refusal,
    unsupported,
)
from tests.support.dsql.sequences import check_cache
from tests.support.dsql.tokens import Token, at_commas, in_parentheses, outside_parentheses, texts

MOST_COLUMNS = 255

TYPES = frozenset(
    {
        *(
            "SMALLINT",
            "INT2",
            "INTEGER",
            "INT",
            "INT4",
            "BIGINT",
            "INT8",
            "REAL",
            "FLOAT4",
            "DOUBLE",
            "FLOAT8",
            "FLOAT",
            "NUMERIC",
            "DECIMAL",
            "DEC",
        ),
        *("CHARACTER", "CHAR", "VARCHAR", "BPCHAR", "TEXT"),
        *("DATE", "TIME", "TIMETZ", "TIMESTAMP", "TIMESTAMPTZ", "INTERVAL"),
        *("BOOLEAN", "BOOL", "BYTEA", "UUID", "JSON", "JSONB"),
    }
)
"""The first words of the types of columns. Arrays, inet, serial and the like are none of them."""

_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN", "EXCLUDE", "LIKE"}


def check_create_table(found: list[Token], words: tuple[str, ...]) -> None:
    """Raise Refusal for a table that Aurora DSQL does not make."""
    outer = outside_parentheses(found)
    for word in ("INHERITS", "PARTITION", "TABLESPACE", "USING", "WITH", "OF"):
        if word in texts(outer):
            raise Refusal(f"{word} not supported for CREATE TABLE", CREATE_TABLE)
    if "AS" in texts(outer):
        raise unsupported("CREATE TABLE AS", CREATE_TABLE)
    elements = at_commas(in_parentheses(found))
    columns = [element for element in elements if texts(element)[:1][0] not in _CONSTRAINTS]
    if len(columns) > MOST_COLUMNS:
        raise Refusal("tables can have at most 255 columns", QUOTAS, TOO_MANY_COLUMNS)
    for element in elements:
        if element in columns:
            _check_column(element)
        else:
            _check_constraint(element)


def _check_column(element: list[Token]) -> None:
    words = texts(element)
    check_type(element[1:])
    if "COLLATE" in words:
        raise Refusal("COLLATE not supported for columns", CREATE_TABLE)
    if "COMPRESSION" in words:
        raise Refusal("COMPRESSION not supported for columns", CREATE_TABLE)
    if "IDENTITY" in words:
        _check_identity(element, words)
    _check_deferrable(words)


def check_type(found: list[Token]) -> None:
    """Raise Refusal for a type that no column may have."""
    if found[0].kind != "word" or found[0].text not in TYPES:
        raise Refusal(f"datatype {found[0].name} not supported", DATA_TYPES)
    after = [token.text for token in outside_parentheses(found)[:6]]
    if "[" in after or "ARRAY" in after:
        raise Refusal("datatype array not supported", DATA_TYPES)


def _check_identity(element: list[Token], words: tuple[str, ...]) -> None:
    """Refuse an identity column that is no bigint, or whose sequence has no CACHE of its size."""
    if words[1] not in {"BIGINT", "INT8"}:
        raise Refusal("identity columns must be of the type bigint", CREATE_SEQUENCE)
    if "CACHE" not in words:
        raise Refusal("identity columns must specify CACHE", CREATE_SEQUENCE)
    check_cache(int(element[words.index("CACHE") + 1].text))


def _check_constraint(element: list[Token]) -> None:
    words = texts(element)
    if "EXCLUDE" in words:
        raise Refusal("EXCLUDE constraints not supported", CREATE_TABLE)
    if words[0] == "LIKE":
        return
    if {"UNIQUE", "PRIMARY"} & {*words} and len(at_commas(in_parentheses(element))) > COLUMNS:
        raise Refusal(
            "more than 8 column keys in an index are not supported", QUOTAS, TOO_MANY_COLUMNS
        )
    _check_deferrable(words)


def _check_deferrable(words: tuple[str, ...]) -> None:
    """Refuse a deferrable constraint that is no foreign key."""
    joined = " ".join(words).replace("NOT DEFERRABLE", "")
    if "DEFERRABLE" in joined and not {"REFERENCES", "FOREIGN"} & {*words}:
        raise Refusal("only foreign keys can be deferrable", CREATE_TABLE)


def check_alter_table(found: list[Token], words: tuple[str, ...]) -> None:
    """Raise Refusal for a change of a table that Aurora DSQL does not make."""
    start = 2
    while words[start] in {"IF", "EXISTS", "ONLY"}:
        start += 1
    start += 1
    while words[start] in {".", "*"}:
        start += 2 if words[start] == "." else 1
    for action in at_commas(found[start:]):
        _check_action(action)


def _check_action(action: list[Token]) -> None:
    words = texts(action)
    if words[0] in {"RENAME", "OWNER", "DROP"} or words[:2] == ("SET", "SCHEMA"):
        return
    if words[0] == "ADD":
        _check_addition(action, words)
    elif words[0] == "ALTER":
        _check_alter_column(words)
    else:
        raise Refusal(f"unsupported ALTER TABLE {words[0]} statement", ALTER_TABLE)


def _check_addition(action: list[Token], words: tuple[str, ...]) -> None:
    if words[1] in _CONSTRAINTS:
        if "INDEX" in words and "USING" in words:
            return
        if not ({"CHECK", "FOREIGN"} & {*words} and words[-2:] == ("NOT", "VALID")):
            raise Refusal(
                "unsupported ALTER TABLE ADD CONSTRAINT statement: only CHECK and FOREIGN KEY "
                "with NOT VALID",
                ALTER_TABLE,
            )
        return
    column = action[1:]
    while texts(column)[0] in {"COLUMN", "IF", "NOT", "EXISTS"}:
        column = column[1:]
    check_type(column[1:])
    rest = {*texts(outside_parentheses(column[2:]))}
    if rest & {"DEFAULT", "NOT", "NULL", "UNIQUE", "PRIMARY", "CHECK", "REFERENCES", "GENERATED"}:
        raise Refusal("ALTER TABLE ADD COLUMN with constraints not supported", ALTER_TABLE)
    if "COLLATE" in rest:
        raise Refusal("COLLATE not supported for columns", ALTER_TABLE)


_COLUMN_CHANGES = (
    ("SET", "DEFAULT"),
    ("DROP", "DEFAULT"),
    ("DROP", "NOT", "NULL"),
    ("DROP", "EXPRESSION"),
    ("DROP", "IDENTITY"),
    ("ADD", "GENERATED"),
    ("SET", "GENERATED"),
    ("SET", "STORAGE"),
    ("SET", "INCREMENT"),
    ("SET", "CACHE"),
    ("SET", "NO"),
    ("SET", "MINVALUE"),
    ("SET", "MAXVALUE"),
    ("SET", "START"),
    ("SET", "CYCLE"),
    ("RESTART",),
)


def _check_alter_column(words: tuple[str, ...]) -> None:
    if words[1] == "CONSTRAINT":
        return
    change = words[3:] if words[1] == "COLUMN" else words[2:]
    if not any(change[: len(form)] == form for form in _COLUMN_CHANGES):
        raise Refusal("unsupported ALTER TABLE ALTER COLUMN ... statement", ALTER_TABLE)


def check_validate_constraint(words: tuple[str, ...]) -> None:
    """Refuse ALTER TABLE ASYNC with anything but VALIDATE CONSTRAINT."""
    if "VALIDATE" not in words:
        raise Refusal("ALTER TABLE ASYNC only validates constraints", ALTER_TABLE)
