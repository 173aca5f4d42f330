"""An installation as `bootstrap_cas` makes it: made once a process, then copied for each test.

Keys, certificates and their encryption take most of the time of a small test. A copy has the same
rows and files, and its audit trail goes on where `bootstrap_cas` left it.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection, models
from django.db.models.sql import InsertQuery

from pki.authorities.bootstrap import bootstrap_cas
from pki.conf import PKISettings
from pki.record import audit_trail
from pki.record.audit_trail import Actor, Head
from pki.record.transactions import in_write_transaction


@dataclass(frozen=True)
class _Installed:
    """What `bootstrap_cas` has left under certain settings."""

    made_under: PKISettings
    rows: list[models.Model]
    head: Head | None
    files: Path
    statements: list[tuple[str, tuple]] = field(default_factory=list)
    """What inserts the rows. Django has written it once, when they were copied first."""


_known: list[_Installed] = []


def install(actor: Actor, keep_in: Path) -> None:
    """Make CAs, default profile and test client in the test's data directory and database.

    ``keep_in`` is a directory that outlives the test.
    """
    made_under = replace(settings.PKI, data_dir=Path())
    installed = next((one for one in _known if one.made_under == made_under), None)
    if installed is None:
        others = set(settings.PKI.data_dir.iterdir())  # a browser's profile, for one
        bootstrap_cas(actor=actor)
        files = keep_in / f"installed-{len(_known)}"
        files.mkdir()
        for made in set(settings.PKI.data_dir.iterdir()) - others:
            copy_made = shutil.copytree if made.is_dir() else shutil.copy2
            copy_made(made, files / made.name)
        rows = list(_all_rows())
        _known.append(_Installed(made_under, rows, audit_trail.head(), files))
    else:
        _copy(installed)


def _all_rows():
    for label in ("pki", "iotprov"):
        for model in apps.get_app_config(label).get_models():
            yield from model._default_manager.order_by("pk")


def _copy(installed: _Installed) -> None:
    shutil.copytree(installed.files, settings.PKI.data_dir, dirs_exist_ok=True)

    if not installed.statements:
        installed.statements.extend(_insertions(installed.rows))

    def insert() -> None:
        with connection.cursor() as cursor:
            for sql, parameters in installed.statements:
                cursor.execute(sql, parameters)

    in_write_transaction(insert)
    audit_trail.restore(installed.head)


def _insertions(rows: list[models.Model]) -> Iterator[tuple[str, tuple]]:
    """Return the statement that inserts each row, with its parameters."""
    for row in rows:
        fields = row._meta.concrete_fields
        query = InsertQuery(type(row))
        query.insert_values(fields, [row])
        yield from query.get_compiler(connection=connection).as_sql()
