"""Checks of settings, database and clock."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from django.conf import settings
from django.core.checks import CheckMessage, Tags, run_checks
from django.core.checks.messages import ERROR, WARNING
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from estserver.local_server.server_certificate import RENEW_BEFORE, ServerCertificateFiles
from estserver.operations.report_rows import Level, Row
from pki.encoding.reading import UNREADABLE, read_certificate_pem
from pki.models import AuditEvent
from pki.record.intents import BACKDATING

CLOCK_WARNING: Final = datetime.timedelta(seconds=30)
"""A difference of clocks that nothing notices yet."""


def settings_rows() -> Iterator[Row]:
    """Look at the settings as ``manage.py check`` does, on Lambda as ``check --deploy``."""
    found = run_checks(include_deployment_checks=settings.IS_LAMBDA)
    yield from _rows(found, "settings", "They pass the checks of manage.py check.")


def record_rows() -> Iterator[Row]:
    """Look at profiles, template and connections as ``manage.py check --database default`` does."""
    found = run_checks(tags=[Tags.database], databases=["default"])
    ok = "Profiles, provisioning template and connections fit each other."
    yield from _rows(found, "profiles and template", ok)


def _rows(found: Sequence[CheckMessage], name: str, ok: str) -> Iterator[Row]:
    serious = [message for message in found if message.level >= WARNING]
    for message in serious:
        level: Level = "FAIL" if message.level >= ERROR else "WARN"
        yield Row(name, level, f"{message.msg} ({message.id})", str(message.hint or ""))
    if not serious:
        yield Row(name, "OK", ok)


def database_rows() -> Iterator[Row]:
    """Look whether the database answers, and which one it is."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        cursor.fetchone()
    version = ".".join(map(str, connection.get_database_version()))
    yield Row("database", "OK", f"{connection.display_name} {version} answers.")


def migration_rows() -> Iterator[Row]:
    """Look whether the schema is that of the code."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if plan:
        missing = ", ".join(f"{migration.app_label}.{migration.name}" for migration, _ in plan[:5])
        more = f" and {len(plan) - 5} more" if len(plan) > 5 else ""
        yield Row(
            "migrations",
            "FAIL",
            f"The database lacks {missing}{more}.",
            "Run manage.py migrate. On AWS, aws_deploy does it.",
        )
        return
    yield Row("migrations", "OK", "The database has the schema of this code.")


def clock_rows() -> Iterable[Row]:
    """Compare this machine's clock with the database's, and with the newest row of the trail.

    Certificates begin ``BACKDATING`` in the past, so a clock that is further ahead makes
    certificates that are not valid yet.
    """
    difference = max(_ahead_of_database(), _behind_the_trail())
    seconds = round(difference.total_seconds())
    advice = "Correct the clock, for example with chrony or systemd-timesyncd."
    if difference >= BACKDATING:
        return [Row("clock", "FAIL", f"This machine's clock is {seconds} s off.", advice)]
    if difference >= CLOCK_WARNING:
        return [Row("clock", "WARN", f"This machine's clock is {seconds} s off.", advice)]
    if connection.vendor == "postgresql":
        return [Row("clock", "OK", "This machine's clock and the database's agree.")]
    return [Row("clock", "OK", "No row of the audit trail is from the future.")]


def _ahead_of_database() -> datetime.timedelta:
    """Return how far this clock and the database server's are apart. SQLite has none of its own."""
    if connection.vendor != "postgresql":
        return datetime.timedelta()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs: datetime.datetime = cursor.fetchone()[0]
    return abs(timezone.now() - theirs)


def _behind_the_trail() -> datetime.timedelta:
    """Return how far the newest row of the audit trail is in the future."""
    newest = AuditEvent.objects.order_by("-at").values_list("at", flat=True).first()
    return max(newest - timezone.now(), datetime.timedelta()) if newest else datetime.timedelta()


def server_certificate_rows() -> Iterator[Row]:
    """Look when the certificate of a local server ends. On Lambda API Gateway has another."""
    if settings.IS_LAMBDA:
        return
    path = ServerCertificateFiles.within(settings.EST_DATA_DIR).certificate
    name = "server certificate"
    if not path.exists():
        yield Row(name, "OK", "There is none: no local server has been started here.")
        return
    try:
        end = read_certificate_pem(path.read_bytes()).not_valid_after_utc
    except (OSError, *UNREADABLE):
        yield Row(name, "FAIL", f"{path} cannot be read.", "Put a certificate in PEM there.")
        return
    left = end - timezone.now()
    if left <= datetime.timedelta():
        yield Row(
            name,
            "FAIL",
            f"It expired on {end:%Y-%m-%d}.",
            "Start runest again, which renews its own, or put a new one in its place.",
        )
    elif left <= RENEW_BEFORE:
        yield Row(
            name,
            "WARN",
            f"It expires on {end:%Y-%m-%d}.",
            "Start runest again, which renews its own, or put a new one in its place.",
        )
    else:
        yield Row(name, "OK", f"It is valid until {end:%Y-%m-%d}.")
