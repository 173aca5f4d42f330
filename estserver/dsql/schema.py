"""Changes of the schema: DSQL takes one in a transaction, and builds indexes on its own time."""

from typing import Any

from aurora_dsql_django import schema
from django.db import DatabaseError

from estserver.dsql.indexes import finish_indexes


class DatabaseSchemaEditor(schema.DatabaseSchemaEditor):
    """The adapter's, which is done only when every index is.

    A rule that an index holds ("this name has one row") does not hold before.
    https://docs.aws.amazon.com/aurora-dsql/latest/userguide/working-with-create-index-async.html
    """

    def __enter__(self) -> Any:
        if self.collect_sql:  # for reviews, which have no database: see the adapter's own method
            return super(schema.DatabaseSchemaEditor, self).__enter__()
        return super().__enter__()  # type: ignore[no-untyped-call]  # the adapter has no types

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        """Run what was put off, and wait for the indexes. Raises ``DatabaseError``."""
        super().__exit__(kind, error, traceback)
        if kind is not None or self.collect_sql:
            return
        if failures := finish_indexes(self.connection):
            raise DatabaseError(" ".join(failures))
