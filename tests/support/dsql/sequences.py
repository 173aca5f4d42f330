"""Sequences and identity columns, as far as Aurora DSQL takes them."""

from tests.support.dsql.refusals import CREATE_SEQUENCE, Refusal
from tests.support.dsql.tokens import Token

LEAST_LARGE_CACHE = 65_536


def check_sequence(found: list[Token], words: tuple[str, ...]) -> None:
    """Refuse a sequence without CACHE, with a cache of a wrong size, or of another type."""
    if "CACHE" in words:
        check_cache(int(found[words.index("CACHE") + 1].text))
    elif words[0] == "CREATE":
        raise Refusal("sequences must specify CACHE", CREATE_SEQUENCE)
    if "AS" in words and words[words.index("AS") + 1] not in {"BIGINT", "INT8"}:
        raise Refusal("sequences must be of the type bigint", CREATE_SEQUENCE)


def check_cache(size: int) -> None:
    """Refuse a cache of another size than 1, or 65536 and more."""
    if size != 1 and size < LEAST_LARGE_CACHE:
        raise Refusal("CACHE must be 1 or at least 65536", CREATE_SEQUENCE)
