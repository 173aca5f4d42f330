"""A database with a history: many certificates, as if a fleet had enrolled over a year and a half.

    EST_DATA_DIR=... DJANGO_SETTINGS_MODULE=estserver.settings.est python -m bench.fill 100000

writes the rows of `bench.fleet` in the image of the certificate that was enrolled last. On
PostgreSQL the user has to be a superuser. No other program may have the database open.
"""

import argparse
import datetime
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, models, transaction
from django.db.backends.utils import CursorWrapper

from bench.fleet import Fleet, Values

Tables = list[tuple[models.Model, Callable[[], Iterator[Values]]]]
"""A row whose columns hold where nothing else is said, and the rows of its table."""


def fill(count: int) -> None:
    """Add ``count`` certificates and what belongs to them, in one transaction.

    A crash may leave a broken database. Nothing gathers SQLite's statistics, so neither does this.
    Raises what ``new_fleet`` raises.
    """
    with connection.cursor() as cursor, _in_haste(cursor), transaction.atomic():
        fleet = new_fleet(count)
        for template, rows in tables_of(fleet):
            with _without_indexes(cursor, template._meta.db_table):
                insert(cursor, template, rows())
    if connection.vendor == "postgresql":
        # As autovacuum would, also after INSERTs alone, so that an index may answer by itself:
        # https://www.postgresql.org/docs/current/routine-vacuuming.html#AUTOVACUUM
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("VACUUM (ANALYZE)")
            cursor.execute("RESET statement_timeout")


def new_fleet(count: int) -> Fleet:
    """Return the fleet of this installation's CAs, profiles and client.

    Raises ``DoesNotExist`` when none has been enrolled that could be copied.
    """
    from iotprov.conf import iot_settings
    from pki.models import AuditEvent, CertificateAuthority, CertificateProfile, IssuedCertificate

    template = IssuedCertificate.objects.filter(
        operation=IssuedCertificate.Operation.ENROLL, state=IssuedCertificate.State.ISSUED
    ).latest("created_at")
    target = f"certificate:{template.serial_number}"
    opening = AuditEvent.objects.aggregate(last=models.Max("opening"))["last"]
    others = CertificateProfile.objects.exclude(pk=template.profile_id).order_by("created_at")
    profiles = [template.profile, *others]
    return Fleet(
        count,
        template,
        events=tuple(AuditEvent.objects.filter(target=target).order_by("at")),
        authorities=tuple(
            one.pk.hex for one in CertificateAuthority.objects.device().order_by("created_at")
        ),
        profiles=tuple((one.pk.hex, one.name) for one in profiles if one is not None),
        target=iot_settings().targets[0].name,
        opening=opening,
    )


def tables_of(fleet: Fleet) -> Tables:
    """Return the tables of ``fleet``, in an order in which no row names a later one."""
    from estserver.models import PendingHook
    from iotprov.models import Provisioning
    from pki.models import DenylistEntry, Job
    from pki.models.job import JobLine

    return [
        (fleet.template, fleet.certificates),
        (fleet.events[0], fleet.audit_events),
        (DenylistEntry(), fleet.denylist_entries),
        (Provisioning(), fleet.provisionings),
        (PendingHook(), fleet.pending_hooks),
        (Job(), fleet.jobs),
        (JobLine(), fleet.job_lines),
    ]


def insert(cursor: CursorWrapper, template: models.Model, rows: Iterable[Values]) -> None:
    """INSERT copies of ``template``, each with the values that a row of ``rows`` has."""
    model = type(template)
    fields = list(model._meta.concrete_fields)
    index = {field.attname: place for place, field in enumerate(fields)}
    same = [
        field.get_db_prep_save(getattr(template, field.attname), connection) for field in fields
    ]
    is_postgresql = connection.vendor == "postgresql"

    def values(row: Values) -> list[Any]:
        found = same.copy()
        for name, value in row.items():
            kind = type(value)
            if kind is datetime.datetime and not is_postgresql:  # a few million of them
                found[index[name]] = str(value).removesuffix("+00:00")
            elif kind is dict:
                found[index[name]] = fields[index[name]].get_db_prep_save(value, connection)
            else:
                found[index[name]] = value
        return found

    table, columns = model._meta.db_table, ", ".join(f'"{field.column}"' for field in fields)
    if is_postgresql:
        with cursor.copy(f'COPY "{table}" ({columns}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row(values(row))
        return
    places = ", ".join(["%s"] * len(fields))
    statement = f'INSERT INTO "{table}" ({columns}) VALUES ({places})'
    cursor.executemany(statement, map(values, rows))


@contextmanager
def _in_haste(cursor: CursorWrapper) -> Iterator[None]:
    """Let each page be written once, when it is full, and check no foreign key."""
    if connection.vendor == "postgresql":
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("SET session_replication_role = replica")  # no triggers
        cursor.execute("SET synchronous_commit = off")
        cursor.execute("SET maintenance_work_mem = '256MB'")
        yield
        cursor.execute("RESET ALL")
        return
    cursor.execute("PRAGMA foreign_keys=OFF")
    cursor.execute("PRAGMA journal_mode=OFF")
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.execute("PRAGMA cache_size=-1000000")  # KiB
    yield
    cursor.execute("PRAGMA journal_mode=WAL")  # stays with the file; the rest was this process's


@contextmanager
def _without_indexes(cursor: CursorWrapper, table: str) -> Iterator[None]:
    """Drop the table's indexes, and build them afterwards: to sort once is faster.

    On SQLite those of unique columns belong to the table and stay.
    """
    if connection.vendor == "postgresql":
        cursor.execute(
            "SELECT format('ALTER TABLE %%I DROP CONSTRAINT %%I', conrelid::regclass, conname), "
            "format('ALTER TABLE %%I ADD CONSTRAINT %%I %%s', conrelid::regclass, conname, "
            "pg_get_constraintdef(oid)) FROM pg_constraint "
            "WHERE conrelid = %s::regclass AND contype = 'u' UNION ALL "
            "SELECT format('DROP INDEX %%I', indexname), indexdef FROM pg_indexes "
            "WHERE tablename = %s AND schemaname = current_schema() AND indexname NOT IN "
            "(SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass)",
            [table] * 3,
        )
    else:
        cursor.execute(
            "SELECT 'DROP INDEX ' || name, sql FROM sqlite_master "
            "WHERE type = 'index' AND tbl_name = %s AND sql IS NOT NULL",
            [table],
        )
    found = cursor.fetchall()
    for drop, _ in found:
        cursor.execute(drop)
    yield
    for _, make in found:
        cursor.execute(make)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int, help="certificates to add")
    count = parser.parse_args().count

    import django

    django.setup()
    started = time.perf_counter()
    fill(count)
    print(f"{count} certificates in {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
