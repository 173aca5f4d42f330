"""How long an operator's single denial takes, by kind, and 500 revocations as a job.

    python -m bench.denials [--certificates 100000]

On an installation of its own on SQLite, or on ``TEST_DATABASE_URL``, by the services that page,
command and API call. Nothing else runs beside it: `bench.import_wait` measures bulk work beside
devices.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from bench.installation import new_installation
from tests.interop.server import ROOT

DENIALS, REVOCATIONS = 50, 500
"""Of each kind, and of one job."""
LEAST = 2_000
"""Certificates, of which about half are live."""


def main() -> None:
    """Make an installation, and print a line for each kind of entry and one for the job."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--certificates", type=int, default=100_000, help="a history of so many")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.certificates < LEAST:
        parser.error(f"argument --certificates: use at least {LEAST:,}, of which some are denied")
    if given.here:
        _measure()
        return
    with new_installation(os.environ.get("TEST_DATABASE_URL", "")) as installation:
        installation.fill(given.certificates)
        settings = {"DJANGO_SETTINGS_MODULE": "estserver.settings.admin"}
        subprocess.run(
            [sys.executable, "-m", "bench.denials", "--here"],
            cwd=ROOT,
            env={**installation.environment, **settings},
            check=True,
        )


def _measure() -> None:
    import django

    django.setup()

    from pki.denylist.kinds import KINDS
    from pki.models import IssuedCertificate
    from pki.record.audit_trail import Actor

    actor = Actor("bench")
    live = IssuedCertificate.objects.live().filter(state=IssuedCertificate.State.ISSUED)
    denied = len(KINDS) * DENIALS
    rows = list(live.order_by("pk")[: denied + REVOCATIONS])
    _deny(rows[:denied], actor)
    _revoke(rows[denied:], actor)


def _deny(rows: list[Any], actor: Any) -> None:
    """Deny devices by each kind in turn."""
    from pki.denylist.entries import deny
    from pki.denylist.kinds import KINDS

    for place, kind in enumerate(KINDS):
        milliseconds = []
        for number, row in enumerate(rows[place :: len(KINDS)]):
            value = getattr(row, kind.column) or f"denied-{number}"
            began = time.perf_counter()
            deny(kind.value, value, reason="bench", actor=actor)
            milliseconds.append((time.perf_counter() - began) * 1000)
        print(
            f"deny by {kind.value}: median {statistics.median(milliseconds):.1f} ms, "
            f"longest {max(milliseconds):.1f} ms of {len(milliseconds)}"
        )


def _revoke(rows: list[Any], actor: Any) -> None:
    """Revoke certificates as a job, as a list's action does."""
    from pki.jobs.revoking import start_revocation
    from pki.jobs.worker import work_on_job
    from pki.models import IssuedCertificate

    chosen = IssuedCertificate.objects.filter(pk__in=[row.pk for row in rows])
    began = time.perf_counter()
    job = start_revocation(chosen, reason="superseded", comment="bench", actor=actor)
    work_on_job(job.pk, may_go_on=lambda: True)
    seconds = time.perf_counter() - began
    job.refresh_from_db()
    print(f"{job.done} revocations in {seconds:.1f} s. Failed: {job.failed}.")


if __name__ == "__main__":
    main()
