"""Columns that all of our tables share."""

import uuid
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:  # Django's fields are generic for type checkers only
    _UUIDField = models.UUIDField[uuid.UUID | str, uuid.UUID]
    _CharField = models.CharField[str, str]
    _NullableCharField = models.CharField[str | None, str | None]
else:
    _UUIDField = models.UUIDField
    _CharField = _NullableCharField = models.CharField


class IdentifierField(_UUIDField):
    """A random UUID as primary key.

    Distributed databases (Aurora DSQL, CockroachDB, YugabyteDB) have no cheap sequences, and a
    key made here needs no round trip to be known.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("default", uuid.uuid4)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)


class Sha256Field(_CharField):
    """A SHA-256 digest in lower-case hex."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 64
        super().__init__(*args, **kwargs)


class UniqueOrNullField(_NullableCharField):
    """Text that only one row may have, while any number of rows may have none.

    How we say "only one" on every database: partial indexes and locks aren't everywhere.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"null": True, "blank": True, "unique": True}
        super().__init__(*args, **kwargs)
