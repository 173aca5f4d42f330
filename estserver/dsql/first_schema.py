"""The schema of an empty cluster: every table as the models have it now, and nothing in between.

DSQL takes few changes of a table that exists. The migrations of Django's apps, and ours of the time
before DSQL, make others: a column's type, a column with a default and without NULL. So an app none
of whose migrations was applied gets the tables in which its migrations end, and they are recorded
as applied, all at once. Later migrations run as they are. Ours keep to what DSQL takes, which
`make check` reviews.
"""

from collections.abc import Callable, Iterable
from graphlib import TopologicalSorter
from typing import Any

from django.db import transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

Model = type[Any]


def make_new_apps(connection: Any, say: Callable[[str], None]) -> list[str]:
    """Make the tables of every app that has none yet; return the apps' labels.

    Cut off, another run goes on: a table or index that is there stays, and nothing is recorded
    before everything is there. Raises ``DatabaseError`` when an index cannot be built.
    """
    executor = MigrationExecutor(connection)
    loader: MigrationLoader = executor.loader
    labels = _new_apps(loader)
    if not labels:
        return []
    executor.recorder.ensure_schema()
    state = loader.project_state().apps
    models = [
        model
        for label in labels
        for model in state.get_app_config(label).get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and not model._meta.swapped
    ]
    # Step 1: tables, each before those that refer to it, then their indexes. The editor waits for
    # these, and fails if one does not come into force.
    with connection.schema_editor() as editor:
        for model in _in_order(models):
            say(f"  Making {model._meta.db_table}")
            _make_table(connection, editor, model)
    # Step 2: the history, which may say that all is there only when it is.
    recorded = [key for key in loader.graph.nodes if key[0] in labels]
    with transaction.atomic(using=connection.alias):
        for app, name in recorded:
            executor.recorder.record_applied(app, name)
    return labels


def _new_apps(loader: MigrationLoader) -> list[str]:
    known = {app for app, _ in loader.applied_migrations or ()}
    return sorted({app for app, _ in loader.graph.nodes} - known)


def _in_order(models: Iterable[Model]) -> list[Model]:
    """Return the models, each after those that its foreign keys refer to."""
    wanted = {model._meta.label_lower: model for model in models}
    order: TopologicalSorter[str] = TopologicalSorter()
    for label, model in wanted.items():
        referred = {
            field.remote_field.model._meta.label_lower
            for field in model._meta.local_fields
            if field.remote_field and field.db_constraint
        }
        order.add(label, *sorted((referred & wanted.keys()) - {label}))
    return [wanted[label] for label in order.static_order()]


def _make_table(connection: Any, editor: Any, model: Model) -> None:
    """Make one table unless it is there, and put off those of its indexes that are not."""
    put_off = len(editor.deferred_sql)
    statement, parameters = editor.table_sql(model)
    editor.deferred_sql.extend(editor._model_indexes_sql(model))
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        if model._meta.db_table not in tables:
            editor.execute(statement, parameters or None)
            return
        there = connection.introspection.get_constraints(cursor, model._meta.db_table)
    added = editor.deferred_sql[put_off:]
    del editor.deferred_sql[put_off:]
    for each in added:
        name = str(each.parts["name"]).strip('"')
        if name not in there:
            editor.deferred_sql.append(each)
