"""System checks that ask the database: its connections, and the indexes of Aurora DSQL.

Django runs them where checks may ask a database: ``manage.py check --database default``.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connections

from estserver.config.connections import connection_problem, known_limit
from estserver.config.database import DSQL_BACKEND

POSTGRESQL = "postgresql"


@register(Tags.database)
def check_connections(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Return a warning when a burst of requests may open more connections than there may be."""
    return [*_warnings(limit_of_database(databases or ()))]


@register(Tags.database)
def check_indexes(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Return an error for each index of a cluster that is not in force: it may hold a rule."""
    database = connections["default"]
    if "default" not in (databases or ()) or database.settings_dict["ENGINE"] != DSQL_BACKEND:
        return []
    from estserver.dsql.indexes import index_problems  # a laptop needs no adapter of DSQL's

    return [checks.Error(text, id="estserver.E051") for text in index_problems(database)]


def limit_of_database(databases: Sequence[str]) -> int | None:
    """Return the limit that the configuration tells, or that one of ``databases`` tells.

    https://www.postgresql.org/docs/current/runtime-config-connection.html
    """
    known = known_limit(settings.CONFIG)
    if known or "default" not in databases or connections["default"].vendor != POSTGRESQL:
        return known
    with connections["default"].cursor() as cursor:
        cursor.execute("SHOW max_connections")
        (limit,) = cursor.fetchone()
    return int(limit)


def _warnings(limit: int | None) -> Iterator[CheckMessage]:
    if text := connection_problem(settings.CONFIG, limit):
        yield checks.Warning(text, id="estserver.W050")
