"""Which statements Aurora DSQL takes: an allow-list.

A kind of statement that is not in it is refused. AWS's guide decides, and where it is silent, the
grammar that AWS derived from a real cluster (LINT).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from tests.support.dsql import indexes, sequences, session_rules, tables
from tests.support.dsql.kinds import Kind
from tests.support.dsql.refusals import (
    DJANGO_ADAPTER,
    LINT,
    PG_DUMP,
    SQL_FEATURES,
    UNSUPPORTED,
    Refusal,
    unsupported,
)
from tests.support.dsql.tokens import Token, outside_parentheses, texts, tokens


@dataclass(frozen=True)
class Statement:
    """A statement that may run. ``table`` is what a write writes to."""

    sql: str
    kind: Kind
    table: str = ""
    found: list[Token] = field(default_factory=list, compare=False, repr=False)

    @property
    def is_forwarded(self) -> bool:
        """Return whether PostgreSQL runs the statement as it is."""
        return self.kind in {Kind.QUERY, Kind.WRITE, Kind.DDL, Kind.SESSION}


_REFUSED_FUNCTIONS = {
    "SET_CONFIG": PG_DUMP,
    "PG_NOTIFY": SQL_FEATURES,
    "DBLINK": UNSUPPORTED,
    "LO_CREATE": UNSUPPORTED,
    "LO_IMPORT": UNSUPPORTED,
    "PG_CREATE_RESTORE_POINT": UNSUPPORTED,
}
_ADVISORY_LOCK = ("PG_ADVISORY_", "PG_TRY_ADVISORY_")

_DROPPED = {"TABLE", "INDEX", "VIEW", "SEQUENCE", "SCHEMA", "ROLE", "DOMAIN", "FUNCTION"}
_DROPPED |= {"STATISTICS"}
_ALTERED = {"SEQUENCE", "VIEW", "INDEX", "SCHEMA", "ROLE", "USER", "DOMAIN", "FUNCTION"}
_ALTERED |= {"STATISTICS"}


def parse(sql: str) -> Statement:
    """Return the one statement in ``sql``. Raises Refusal if Aurora DSQL would not take it."""
    found = tokens(sql)
    if not found:
        return Statement(sql, Kind.SESSION)
    words = texts(found)
    rule = _RULES.get(words[0])
    if rule is None:
        raise unsupported(words[0], UNSUPPORTED)
    kind = rule(found, words)
    return Statement(sql, kind, _written_table(found, words) if kind is Kind.WRITE else "", found)


def _select(found: list[Token], words: tuple[str, ...]) -> Kind:
    if _calls(words, "WAIT_FOR_JOB"):
        return Kind.WAIT_FOR_JOB
    _check_functions(words)
    if words[0] == "SELECT" and "INTO" in texts(outside_parentheses(found)):
        raise unsupported("SELECT INTO", UNSUPPORTED)
    _check_locking_clause(words)
    if words[0] == "WITH" and {"INSERT", "UPDATE", "DELETE"} & {*_statement_words(words)}:
        return Kind.WRITE
    return Kind.QUERY


def _check_locking_clause(words: tuple[str, ...]) -> None:
    """Refuse FOR UPDATE and its kin, unless the key of one table is compared with a value.

    Nothing is locked: the rows are checked for conflicts at commit.
    https://aws.amazon.com/blogs/database/concurrency-control-in-amazon-aurora-dsql/
    """
    joined = " ".join(words)
    if not any(f" FOR {strength}" in joined for strength in ("UPDATE", "NO KEY", "SHARE", "KEY")):
        return
    selected = words[words.index("FROM") :] if "FROM" in words else ()
    if "WHERE" not in selected or "=" not in selected or "JOIN" in selected:
        raise Refusal(
            "locking clause such as FOR UPDATE can be applied only on tables with equality "
            "predicates on the key",
            "https://aws.amazon.com/blogs/database/concurrency-control-in-amazon-aurora-dsql/",
        )


def _statement_words(words: tuple[str, ...]) -> list[str]:
    """Return the words that may begin a statement inside of a WITH query."""
    starts = {"(", ")"}
    return [word for before, word in pairwise(words) if before in starts]


def _calls(words: tuple[str, ...], function: str) -> bool:
    return any(pair == (function, "(") for pair in pairwise(words))


def _check_functions(words: tuple[str, ...]) -> None:
    for word, after in pairwise(words):
        if after != "(":
            continue
        if word in _REFUSED_FUNCTIONS:
            raise Refusal(f"function {word.lower()} not supported", _REFUSED_FUNCTIONS[word])
        if word.startswith(_ADVISORY_LOCK):
            raise Refusal("advisory locks not supported", SQL_FEATURES)


def _write(found: list[Token], words: tuple[str, ...]) -> Kind:
    _check_functions(words)
    if "CURRENT" in words and "OF" in words:
        raise unsupported("WHERE CURRENT OF", LINT)
    return Kind.WRITE


def _written_table(found: list[Token], words: tuple[str, ...]) -> str:
    """Return the name of the table after INSERT INTO, UPDATE or DELETE FROM, without its schema."""
    start = next(i for i, word in enumerate(words) if word in {"INSERT", "UPDATE", "DELETE"}) + 1
    while words[start] in {"INTO", "FROM", "ONLY"}:
        start += 1
    while start + 2 < len(words) and words[start + 1] == ".":
        start += 2
    return found[start].name


def _explain(found: list[Token], words: tuple[str, ...]) -> Kind:
    explained = {"SELECT", "WITH", "VALUES", "INSERT", "UPDATE", "DELETE"}
    start = next((i for i, word in enumerate(words) if word in explained), None)
    if start is None:
        raise unsupported("EXPLAIN", LINT)
    _RULES[words[start]](found[start:], words[start:])
    return Kind.QUERY


def _create(found: list[Token], words: tuple[str, ...]) -> Kind:
    if {"TEMP", "TEMPORARY", "UNLOGGED", "GLOBAL"} & {*words[1:3]}:
        raise unsupported("temporary and unlogged relations", UNSUPPORTED)
    rest = [word for word in words[1:5] if word not in {"OR", "REPLACE", "UNIQUE"}]
    what = rest[0]
    if what == "INDEX":
        indexes.check_create_index(found, words)
        return Kind.ASYNC_INDEX
    if what == "TABLE":
        tables.check_create_table(found, words)
    elif what == "SEQUENCE":
        sequences.check_sequence(found, words)
    elif what == "FUNCTION":
        language = words[words.index("LANGUAGE") + 1] if "LANGUAGE" in words else ""
        if language != "SQL":
            raise Refusal("only functions in the language sql are supported", UNSUPPORTED)
    elif what not in {"VIEW", "SCHEMA", "ROLE", "DOMAIN", "STATISTICS"}:
        raise unsupported(f"CREATE {what}", UNSUPPORTED)
    return Kind.DDL


def _alter(found: list[Token], words: tuple[str, ...]) -> Kind:
    if words[1] == "TABLE":
        if words[2] == "ASYNC":
            tables.check_validate_constraint(words)
            return Kind.ASYNC_VALIDATION
        tables.check_alter_table(found, words)
    elif words[1] == "SEQUENCE":
        sequences.check_sequence(found, words)
    elif words[1] not in _ALTERED:
        raise unsupported(f"ALTER {words[1]}", UNSUPPORTED)
    return Kind.DDL


def _drop(found: list[Token], words: tuple[str, ...]) -> Kind:
    if words[1] not in _DROPPED or "CONCURRENTLY" in words:
        raise unsupported(f"DROP {words[1]}", UNSUPPORTED)
    return Kind.DDL


def _ddl(found: list[Token], words: tuple[str, ...]) -> Kind:
    """GRANT, REVOKE and COMMENT change the catalog, too (https://docs.aws.amazon.com/
    aurora-dsql/latest/userguide/working-with-concurrency-control.html)."""
    return Kind.DDL


def _aws(found: list[Token], words: tuple[str, ...]) -> Kind:
    if words[1] != "IAM" or words[2] not in {"GRANT", "REVOKE"}:
        raise unsupported(" ".join(words[:3]))
    return Kind.IAM_GRANT


def _analyze(found: list[Token], words: tuple[str, ...]) -> Kind:
    if len(words) < 2 or "(" in words:
        raise unsupported("ANALYZE without the name of a relation", SQL_FEATURES)
    return Kind.SESSION


def _deallocate(found: list[Token], words: tuple[str, ...]) -> Kind:
    return Kind.SESSION


def _call(found: list[Token], words: tuple[str, ...]) -> Kind:
    if not _calls(words, "WAIT_FOR_JOB"):
        raise unsupported("CALL", UNSUPPORTED)
    return Kind.WAIT_FOR_JOB


def _refuse(name: str, page: str) -> "Callable[[list[Token], tuple[str, ...]], Kind]":
    """Return a rule that refuses, for statements whose refusal has a page or a text of its own."""

    def rule(found: list[Token], words: tuple[str, ...]) -> Kind:
        raise unsupported(name, page)

    return rule


_RULES: dict[str, Callable[[list[Token], tuple[str, ...]], Kind]] = {
    "SELECT": _select,
    "WITH": _select,
    "VALUES": _select,
    "(": _select,
    "INSERT": _write,
    "UPDATE": _write,
    "DELETE": _write,
    "BEGIN": session_rules.check_begin,
    "START": session_rules.check_begin,
    "COMMIT": session_rules.check_commit,
    "END": session_rules.check_commit,
    "ROLLBACK": session_rules.check_rollback,
    "ABORT": session_rules.check_rollback,
    "SET": session_rules.check_set,
    "RESET": session_rules.check_reset,
    "SHOW": session_rules.check_show,
    "EXPLAIN": _explain,
    "ANALYZE": _analyze,
    "DEALLOCATE": _deallocate,
    "CREATE": _create,
    "ALTER": _alter,
    "DROP": _drop,
    "GRANT": _ddl,
    "REVOKE": _ddl,
    "COMMENT": _ddl,
    "AWS": _aws,
    "CALL": _call,
    "SAVEPOINT": _refuse("Savepoint", UNSUPPORTED),
    "RELEASE": _refuse("Release savepoint", UNSUPPORTED),
    "LOCK": _refuse("Lock", PG_DUMP),
    "DECLARE": _refuse("DeclareCursor", DJANGO_ADAPTER),
    "TRUNCATE": _refuse("Truncate", UNSUPPORTED),
    "VACUUM": _refuse("Vacuum", UNSUPPORTED),
    "COPY": _refuse("Copy", LINT),
    "DO": _refuse("Do", UNSUPPORTED),
    "LISTEN": _refuse("Listen", SQL_FEATURES),
    "NOTIFY": _refuse("Notify", SQL_FEATURES),
    "PREPARE": _refuse("Prepare", LINT),
}
