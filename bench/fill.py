"""A database with a history: many certificates, as if a fleet had enrolled over half a year.

    EST_DATA_DIR=... DJANGO_SETTINGS_MODULE=estserver.settings.est python -m bench.fill 100000

copies the certificate that was issued last, with its two rows of the audit trail. What is indexed
is as various as in real life, so that lookups and insertions meet indexes of real size and shape:
names, serial numbers, fingerprints, key and request hashes are unlike each other, identifiers and
times ascend. The DER is the template's own, and hashes of the trail are random: this is for
measuring, not for using (``audit_verify`` says so). Nobody else may have the database open.
"""

import argparse
import datetime
import random
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, models, transaction
from django.db.backends.utils import CursorWrapper

AGE = datetime.timedelta(days=180)
"""How long ago the first of the copies was issued."""

CHAIN_LENGTH = 1000
"""Rows of the audit trail in a chain: a thread's, until its process ends."""

Varied = dict[str, Any]


def fill(count: int) -> None:
    """Add ``count`` certificates, in one transaction. A crash may leave a broken database.

    Raises ``DoesNotExist`` when none has been enrolled that could be copied.
    """
    from pki.models import AuditEvent, IssuedCertificate

    template = IssuedCertificate.objects.filter(
        operation=IssuedCertificate.Operation.ENROLL, state=IssuedCertificate.State.ISSUED
    ).latest("created_at")
    target = f"certificate:{template.serial_number}"
    events = list(AuditEvent.objects.filter(target=target).order_by("at"))
    opening = AuditEvent.objects.aggregate(last=models.Max("opening"))["last"]

    certificates = [_certificate(template.pk, number, count) for number in range(count)]
    with connection.cursor() as cursor, _in_haste(cursor), transaction.atomic():
        _insert(cursor, template, certificates)
        chains = [uuid.uuid4() for _ in range(count * len(events) // CHAIN_LENGTH + 1)]
        for place, event in enumerate(events):
            places = range(place, count * len(events), len(events))
            _insert(cursor, event, _audit_events(certificates, places, chains, opening=opening))


@contextmanager
def _in_haste(cursor: CursorWrapper) -> Iterator[None]:
    """Let SQLite write each page once, when it is full, and into the database itself."""
    if connection.vendor != "sqlite":
        yield
        return
    cursor.execute("PRAGMA journal_mode=OFF")
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.execute("PRAGMA cache_size=-600000")  # KiB
    yield
    cursor.execute("PRAGMA journal_mode=WAL")  # stays with the file; the rest was this process's


def _certificate(template: uuid.UUID, number: int, count: int) -> Varied:
    """What makes the copy ``number`` different from the template."""
    from pki.models.fields import new_identifier

    now = datetime.datetime.now(datetime.UTC)
    issued = now - AGE * (1 - number / count)
    name = f"sensor-{_hex(6)}"
    serial = f"SN{random.randrange(10**12):012}"
    key, client = _hex(32), _hex(32)
    return {
        "id": new_identifier(),
        "serial_number": _hex(19),
        "common_name": name,
        "name_folded": name,
        "name_owner": name,
        "current_name": f"default:{name}",
        "device_serial": serial,
        "serial_folded": serial.casefold(),
        "subject": f"CN={name}",
        "key_sha256": key,
        "key_owner": key,
        "fingerprint_sha256": _hex(32),
        "request_key": _hex(32),
        "client_fingerprint": _hex(32),
        "client_signed_sha256": client,
        "new_name_of": client,
        "holder_fingerprint": _hex(32),
        "holder_signed_sha256": _hex(32),
        "holder_name_sha256": _hex(32),
        "request_id": uuid.uuid4().hex,
        "not_before": issued.replace(microsecond=0),
        "not_after": issued.replace(microsecond=0) + datetime.timedelta(days=365),
        "created_at": issued,
        "issued_at": issued,
    }


def _audit_events(
    certificates: Iterable[Varied],
    places: Iterable[int],
    chains: Sequence[uuid.UUID],
    *,
    opening: int,
) -> Iterator[Varied]:
    """An event for each certificate, at its place among all of them."""
    from pki.models.fields import new_identifier

    for certificate, place in zip(certificates, places, strict=True):
        chain, position = divmod(place, CHAIN_LENGTH)
        yield {
            "id": new_identifier(),
            "chain": chains[chain],
            "position": position,
            "opening": None if position else opening + 1 + chain,
            "at": certificate["created_at"],
            "actor": f"client:{certificate['client_fingerprint']}",
            "target": f"certificate:{certificate['serial_number']}",
            "request_id": certificate["request_id"],
            "previous_hash": _hex(32),
            "hash": _hex(32),
        }


def _hex(octets: int) -> str:
    return random.randbytes(octets).hex()  # nothing here is a secret


def _insert(cursor: CursorWrapper, template: models.Model, rows: Iterable[Varied]) -> None:
    """INSERT copies of ``template``, each with the values that a row of ``rows`` has."""
    model = type(template)
    names = [field.attname for field in model._meta.concrete_fields]
    same = {name: _prepared(model, name, getattr(template, name)) for name in names}

    def values(row: Varied) -> tuple[Any, ...]:
        varied = {name: _prepared(model, name, value) for name, value in row.items()}
        return tuple({**same, **varied}.values())

    cursor.executemany(
        f'INSERT INTO "{model._meta.db_table}" ({", ".join(names)}) '
        f"VALUES ({', '.join(['%s'] * len(names))})",
        map(values, rows),  # type: ignore[arg-type]  # any iterable will do, for every driver
    )


def _prepared(model: type[models.Model], name: str, value: Any) -> Any:
    if isinstance(value, str | int):  # a few million of them
        return value
    from pki.models import hot_path_sql

    return hot_path_sql.prepared_value(model, name, value)


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
