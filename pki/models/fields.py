"""Columns that all of our tables share."""

import uuid
from typing import Any

from django.db import models


class IdentifierField(models.UUIDField[uuid.UUID | str, uuid.UUID]):
    """A random UUID as primary key.

    Distributed databases (Aurora DSQL, CockroachDB, YugabyteDB) have no cheap sequences, and a
    key made here needs no round trip to be known.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("primary_key", True)
        kwargs.setdefault("default", uuid.uuid4)
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)


class Sha256Field(models.CharField[str, str]):
    """A SHA-256 digest in lower-case hex."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_length"] = 64
        super().__init__(*args, **kwargs)
