"""Django's ``migrate``, which on Aurora DSQL makes the tables of new apps in one go."""

from typing import Any

from django.apps import apps
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor

from estserver.config.database import DSQL_BACKEND
from pki.operators.command import OperatorCommand
from pki.operators.effects import Effect


class Command(OperatorCommand, migrate.Command):
    """Bring the database's schema to what the models have.

    On Aurora DSQL an app's tables are made as its migrations end (`estserver.dsql.first_schema`),
    and the rights of the functions' database roles follow the tables. The roles of people are made
    and brought up to date (`estserver.people.roles`).
    """

    effect = Effect.MORE
    # Django's own, which the shared base leaves out for other commands.
    requires_system_checks = migrate.Command.requires_system_checks

    def get_check_kwargs(self, options: dict[str, Any]) -> Any:
        """Leave out what is asked of the database itself, because this run may mend it."""
        kwargs = super().get_check_kwargs(options)
        return {**kwargs, "databases": []} if _is_dsql(options) else kwargs

    def handle(self, *args: Any, **options: Any) -> str | None:
        """Make what is missing. Raises ``DatabaseError`` and ``CommandError``."""
        options["plan"] = options["plan"] or options.pop("dry_run", False)
        changes = not (options["plan"] or options["check_unapplied"] or options["prune"])
        done = self._migrate(*args, changes=changes, **options)
        if changes and _is_whole(options) and apps.is_installed("django.contrib.auth"):
            from estserver.people.roles import install_roles  # the device side has no accounts

            install_roles()
        return done

    def _migrate(self, *args: Any, changes: bool, **options: Any) -> str | None:
        connection = connections[options["database"]]
        if _is_dsql(options) and changes:
            # Only where they are needed: a laptop has no adapter of DSQL's.
            from estserver.dsql.first_schema import make_new_apps
            from estserver.dsql.grants import apply_grants
            from estserver.dsql.indexes import drop_broken_indexes

            if _has_plan(connection):
                drop_broken_indexes(connection)
            if made := make_new_apps(connection, self._say(options["verbosity"])):
                self._say(options["verbosity"])(f"Made the tables of {', '.join(made)}.")
            done: str | None = super().handle(*args, **options)
            apply_grants(connection)
            return done
        return super().handle(*args, **options)

    def _say(self, verbosity: int) -> Any:
        return self.stdout.write if verbosity else lambda line: None


def _is_whole(options: dict[str, Any]) -> bool:
    """Return whether all apps of the one database are brought to their newest migration."""
    return options["database"] == DEFAULT_DB_ALIAS and not options["app_label"]


def _is_dsql(options: dict[str, Any]) -> bool:
    return bool(connections[options["database"]].settings_dict["ENGINE"] == DSQL_BACKEND)


def _has_plan(connection: Any) -> bool:
    executor = MigrationExecutor(connection)
    return bool(executor.migration_plan(executor.loader.graph.leaf_nodes()))
