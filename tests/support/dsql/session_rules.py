"""Transactions and the parameters of a session, as far as Aurora DSQL takes them."""

from tests.support.dsql.kinds import Kind
from tests.support.dsql.refusals import LINT, PG_DUMP, UNSUPPORTED, Refusal, unsupported
from tests.support.dsql.tokens import Token

PARAMETERS = frozenset(
    {
        "application_name",
        "client_encoding",
        "datestyle",
        "extra_float_digits",
        "intervalstyle",
        "search_path",
        "timezone",
        "disable_sync_create_index",
        # Not on AWS's list; a cluster has no other value than theirs (LINT's iso_level).
        "transaction_isolation",
        "default_transaction_isolation",
    }
)
"""What SET and the options of a connection may change (PG_DUMP has AWS's list)."""


def check_parameter(name: str) -> None:
    """Raise Refusal for a parameter that no session may set."""
    name = name.lower()
    if name in PARAMETERS or name.startswith(("enable_", "dsql.enable_")):
        return
    raise Refusal(f"setting configuration parameter '{name}' not supported", PG_DUMP)


def check_begin(found: list[Token], words: tuple[str, ...]) -> Kind:
    """Take BEGIN at the one level of isolation."""
    if words[0] == "START" and words[1:2] != ("TRANSACTION",):
        raise unsupported(" ".join(words[:2]))
    _check_modes(words[1:])
    return Kind.BEGIN


def _check_modes(words: tuple[str, ...]) -> None:
    joined = " ".join(words)
    if "LEVEL" in words and "REPEATABLE READ" not in joined:
        raise Refusal("only the isolation level repeatable read is supported", LINT)
    if "DEFERRABLE" in words:
        raise unsupported("BEGIN DEFERRABLE", LINT)


def check_rollback(found: list[Token], words: tuple[str, ...]) -> Kind:
    """Take ROLLBACK of a whole transaction."""
    if "TO" in words:
        raise unsupported("Rollback to savepoint", UNSUPPORTED)
    if "PREPARED" in words:
        raise unsupported("Rollback prepared", UNSUPPORTED)
    return Kind.ROLLBACK


def check_commit(found: list[Token], words: tuple[str, ...]) -> Kind:
    """Take COMMIT in one phase."""
    if "PREPARED" in words:
        raise unsupported("Commit prepared", UNSUPPORTED)
    return Kind.COMMIT


def check_set(found: list[Token], words: tuple[str, ...]) -> Kind:
    """Take SET of the parameters that a session may change."""
    rest = words[2:] if words[1] in {"LOCAL", "SESSION"} else words[1:]
    if rest[0] == "CONSTRAINTS":  # since foreign keys, in August 2026
        return Kind.SESSION
    if rest[0] == "CHARACTERISTICS":
        _check_modes(rest)
        return Kind.SESSION
    if rest[0] in {"TRANSACTION", "AUTHORIZATION", "ROLE"}:
        raise Refusal(f"setting configuration parameter '{rest[0].lower()}' not supported", LINT)
    if rest[:2] == ("TIME", "ZONE") or rest[0] == "NAMES":
        return Kind.SESSION
    check_parameter(".".join(_dotted(found[len(words) - len(rest) :])))
    return Kind.SESSION


def _dotted(found: list[Token]) -> list[str]:
    parts = [found[0].name]
    while len(found) > 2 and found[1].text == ".":
        found = found[2:]
        parts.append(found[0].name)
    return parts


def check_reset(found: list[Token], words: tuple[str, ...]) -> Kind:
    """Take RESET of the same."""
    if words[1] not in {"ALL", "TIME", "TRANSACTION"}:
        check_parameter(".".join(_dotted(found[1:])))
    return Kind.SESSION


def check_show(found: list[Token], words: tuple[str, ...]) -> Kind:
    """Take SHOW."""
    return Kind.SESSION
