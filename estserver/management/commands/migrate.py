"""Django's ``migrate``, which on Aurora DSQL makes the tables of new apps in one go."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from estserver.config.database import DSQL_BACKEND


class Command(migrate.Command):
    """Bring the database's schema to what the models have.

    On Aurora DSQL an app's tables are made as its migrations end (`estserver.dsql.first_schema`),
    and the rights of the functions' database roles follow the tables.
    """

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Make what is missing. Raises ``DatabaseError`` and ``CommandError``."""
        connection = connections[options["database"]]
        is_dsql = connection.settings_dict["ENGINE"] == DSQL_BACKEND
        changes = not (options["plan"] or options["check_unapplied"] or options["prune"])
        if is_dsql and changes:
            # Only where they are needed: a laptop has no adapter of DSQL's.
            from estserver.dsql.first_schema import make_new_apps
            from estserver.dsql.grants import apply_grants

            if made := make_new_apps(connection, self._say(options["verbosity"])):
                self._say(options["verbosity"])(f"Made the tables of {', '.join(made)}.")
            done: str | None = super().handle(*args, **options)
            apply_grants(connection)
            return done
        return super().handle(*args, **options)

    def _say(self, verbosity: int) -> Any:
        return self.stdout.write if verbosity else lambda line: None
