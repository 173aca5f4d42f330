"""A system check: whether the database takes the connections that the APIs may open.

The limit of PostgreSQL is known to PostgreSQL alone, so that it is asked where checks may ask a
database: ``manage.py check --database default``.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Tags, register
from django.db import connections

from estserver.config.connections import connection_problem, known_limit

POSTGRESQL = "postgresql"


@register(Tags.database)
def check_connections(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """Return a warning when a burst of requests may open more connections than there may be."""
    return [*_warnings(limit_of_database(databases or ()))]


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
