"""Take a database back to what `migrate` left, after a test that commits.

Django empties every table for that, and sends `post_migrate`, whose receivers make content types,
permissions and roles again in fifteen transactions. Most tests write to a few tables and change
none of these rows, so that this took longer than many of the tests.
"""

from functools import partial

from django.apps import apps
from django.core.management import call_command
from django.db import connection, models, transaction
from django.test import TransactionTestCase

DELETED_ON_POSTGRESQL = 50
"""So often PostgreSQL deletes rows before it truncates tables, which frees the space as well."""

_times_deleted = 0
_left_by_migrate: dict[type[models.Model], list[tuple]] = {}


def undo_as_migrate_left_it() -> None:
    """Have tests that commit undone by this module, from the rows that the database has now.

    Call it when the database is made. Where a plugin has a way of its own, that one stays.
    """
    if TransactionTestCase._fixture_teardown.__module__ != TransactionTestCase.__module__:
        return
    for model in apps.get_models(include_auto_created=True):
        if model._meta.can_migrate(connection) and (rows := _rows_of(model)):
            _left_by_migrate[model] = rows
    TransactionTestCase._fixture_teardown = lambda case: undo()


def undo() -> None:
    """Leave exactly the rows that `migrate` left. Counters of primary keys go on."""
    global _times_deleted
    _times_deleted += 1
    if connection.vendor == "postgresql" and _times_deleted % DELETED_ON_POSTGRESQL == 0:
        call_command("flush", verbosity=0, interactive=False, inhibit_post_migrate=True)
    # Foreign keys are checked at the commit, so that the order does not matter.
    with transaction.atomic():
        changed = [model for model, rows in _left_by_migrate.items() if _rows_of(model) != rows]
        kept = {model._meta.db_table for model in {*_left_by_migrate} - {*changed}}
        with connection.cursor() as cursor:
            for table in _tables_with_rows(cursor):
                if table not in kept:
                    cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}")
        for model in changed:
            _insert(model, _left_by_migrate[model])


def _rows_of(model):
    fields = [field.attname for field in model._meta.concrete_fields]
    return list(model._base_manager.order_by("pk").values_list(*fields))


def _tables_with_rows(cursor):
    """Return the names of tables of Django's models that aren't empty, by one statement."""
    quote = connection.ops.quote_name
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    cursor.execute(
        " UNION ALL ".join(
            f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {quote(table)})" for table in tables
        )
    )
    return [name for (name,) in cursor.fetchall()]


def _insert(model, rows):
    make = partial(model.from_db, connection.alias)
    fields = [field.attname for field in model._meta.concrete_fields]
    model._base_manager.bulk_create([make(fields, row) for row in rows])
