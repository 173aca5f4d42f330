"""What the hand-written statements of an enrollment save, beside the same through Django's ORM.

    python -m bench.statements

CPU of this process, on SQLite and inside one transaction, so that no disk is waited for.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROUNDS, REPEATS = 9, 300


def main() -> None:
    """Print a row for each kind of statement."""
    with tempfile.TemporaryDirectory() as directory:
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "estserver.settings.admin",
            "EST_DATA_DIR": directory,
            "DATABASE_URL": f"sqlite:///{directory}/bench.sqlite3",
            "EST_CONFIG": str(Path(__file__).parents[1] / "config" / "config-local.yaml"),
        }
        import django

        django.setup()
        _measure()


def _measure() -> None:
    from django.core.management import call_command
    from django.db import transaction
    from django.db.models import Q

    from pki.authorities.bootstrap import bootstrap_cas
    from pki.models import CertificateAuthority, IssuedCertificate, hot_path_sql, hot_path_values
    from pki.record import audit_trail
    from pki.record.audit_trail import Actor

    call_command("migrate", verbosity=0)
    bootstrap_cas(actor=Actor("bench"))
    device_ca = CertificateAuthority.objects.device().get()
    like = IssuedCertificate.objects.get()  # the test client's
    keys = ["nothing"] * 4
    condition = "name_owner = %s OR key_owner = %s OR current_name = %s OR request_key = %s"
    by_columns = (
        Q(name_owner="nothing")
        | Q(key_owner="nothing")
        | Q(current_name="nothing")
        | Q(request_key="nothing")
    )
    numbers = iter(range(10**9))

    def row() -> IssuedCertificate:
        number = next(numbers)
        columns = {
            field.attname: getattr(like, field.attname)
            for field in IssuedCertificate._meta.concrete_fields
            if field.attname not in {"id", "fingerprint_sha256"}
        }
        return IssuedCertificate(
            **columns
            | {
                "ca_id": device_ca.pk,
                "serial_number": f"{number:040x}",
                "name_owner": f"name-{number}",
            }
        )

    def updated(**columns: str) -> None:
        IssuedCertificate.objects.filter(pk=like.pk, state="issued").update(**columns)

    by_hand = "UPDATE pki_issuedcertificate SET tenant_id = %s WHERE id = %s AND state = %s"
    key = hot_path_values.prepared_value(IssuedCertificate, "id", like.pk)
    kinds: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
        "look a request up": (
            lambda: hot_path_sql.fetch(IssuedCertificate, condition, keys),
            lambda: list(IssuedCertificate.objects.filter(by_columns)),
        ),
        "insert a certificate": (
            lambda: hot_path_sql.insert(row()),
            lambda: row().save(force_insert=True),
        ),
        "update a certificate": (
            lambda: hot_path_sql.update(by_hand, ["a", key, "issued"]),
            lambda: updated(tenant_id="a"),
        ),
    }
    assert audit_trail.verify()[1] is None
    print("| statement | by hand, µs | ORM, µs | the ORM adds, µs |\n|---|---|---|---|")
    with transaction.atomic():
        for title, (hand, orm) in kinds.items():
            pairs = [(_cpu(hand), _cpu(orm)) for _ in range(ROUNDS)]
            first, second = (statistics.median(column) for column in zip(*pairs, strict=True))
            print(f"| {title} | {first:.0f} | {second:.0f} | {second - first:.0f} |")
        transaction.set_rollback(True)


def _cpu(statement: Callable[[], object]) -> float:
    """Microseconds of CPU of one run, over ``REPEATS``."""
    began = time.process_time()
    for _ in range(REPEATS):
        statement()
    return (time.process_time() - began) / REPEATS * 1e6


if __name__ == "__main__":
    sys.exit(main())
