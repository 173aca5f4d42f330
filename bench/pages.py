"""How long each page of the web admin takes for a fleet's operator, and how many statements.

    python -m bench.pages [--certificates 100000 1000000] [--postgresql] [--combined]

makes installations of its own in temporary directories, fills them (`bench.fill`), and opens every
page (`bench.console`) through Django's test client as a superuser. It prints a table and marks what
takes longer than it should: 300 ms at 100,000 certificates, 600 ms at more.
"""

import argparse
import json
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.installation import MeasuredInstallation, new_installation
from tests.interop.server import ROOT
from tests.support.postgresql import private_server

ROUNDS = 5
SMALL = 100_000
LONGEST = {True: 300, False: 600}
"""Milliseconds that a page may take, by whether the fleet is a small one."""

_SETTINGS = {"DJANGO_SETTINGS_MODULE": "estserver.settings.admin", "EST_ADMIN_PLAIN_HTTP": "1"}


@dataclass(frozen=True)
class Measured:
    """A page, as it was opened."""

    owner: str
    what: str
    url: str
    status: int
    milliseconds: float
    """The median of the rounds, by the clock."""
    cpu: float
    """The least CPU of this process of the rounds, in milliseconds."""
    statements: int

    @property
    def is_wrong(self) -> bool:
        """Return whether it is not shown. 403 is right where only services add rows."""
        return self.status not in (200, 302, 403)

    def is_slow(self, certificates: int) -> bool:
        """Return whether it takes longer than it should."""
        return self.milliseconds > LONGEST[certificates <= SMALL]


def measure(*, rounds: int, are_combined: bool, only: str = "") -> Iterator[Measured]:
    """Open each page of this process's installation ``rounds`` times."""
    from django.contrib import admin
    from django.contrib.auth.models import User
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from bench.console import pages

    user = User.objects.filter(is_superuser=True).first() or User.objects.create_superuser("bench")
    client = Client(raise_request_exception=False, headers={"host": "localhost"})
    client.force_login(user)
    for page in list(pages(admin.site, user, are_combined=are_combined)):
        if only not in f"{page.owner} {page.what}":
            continue
        with CaptureQueriesContext(connection) as statements:
            status = client.get(page.url).status_code
        count = len(statements)  # the next request empties the log
        if status >= 500:
            print(f"{page.url} answers {status}", file=sys.stderr)
        times, cpus = [], []
        for _ in range(rounds):
            cpu, began = time.process_time(), time.perf_counter()
            client.get(page.url)
            times.append((time.perf_counter() - began) * 1000)
            cpus.append((time.process_time() - cpu) * 1000)
        yield Measured(
            page.owner,
            page.what,
            page.url,
            status,
            round(statistics.median(times), 1),
            round(min(cpus), 1),
            count,
        )


def table(measured: list[Measured], certificates: int) -> list[str]:
    """Return the table, in which slow pages are marked."""
    return [
        "| page | ms | CPU ms | statements | |",
        "|---|---|---|---|---|",
        *(
            f"| {one.owner} {one.what} | {one.milliseconds:.0f} | {one.cpu:.0f} | "
            f"{one.statements} | {'SLOW' if one.is_slow(certificates) else ''}"
            f"{f'status {one.status}' if one.is_wrong else ''} |"
            for one in measured
        ),
    ]


def summary(measured: list[Measured], certificates: int, database: str) -> str:
    """Return the slowest page of each kind in a sentence."""
    slowest = max(measured, key=lambda one: one.milliseconds)
    slow = [one for one in measured if one.is_slow(certificates)]
    return (
        f"{certificates:,} certificates on {database}: {len(measured)} pages, median "
        f"{statistics.median(one.milliseconds for one in measured):.0f} ms, slowest "
        f"{slowest.milliseconds:.0f} ms ({slowest.owner} {slowest.what}), at most "
        f"{max(one.statements for one in measured)} statements, {len(slow)} slower than "
        f"{LONGEST[certificates <= SMALL]} ms."
    )


def prepare() -> None:
    """Give this process's installation a second device CA and more profiles, as fleets have."""
    from pki.authorities.succeed import make_successor
    from pki.models import CertificateAuthority, CertificateProfile
    from pki.record.audit_trail import Actor
    from pki.record.profile_versions import add_profile
    from pki.record.transactions import in_write_transaction

    actor = Actor("command:bench")
    make_successor(CertificateAuthority.objects.device().get(), actor=actor, reason="fleet")
    profile = CertificateProfile.objects.get(active_label="")
    known = {one.attname: getattr(profile, one.attname) for one in profile._meta.concrete_fields}
    for name in ("cameras", "gateways"):
        own = {"name": name, "label": name, "version": 1, "active_label": None}
        copy = CertificateProfile(**{**known, "id": None, **own})
        in_write_transaction(lambda copy=copy: add_profile(copy, actor=actor))


@contextmanager
def filled(certificates: int, *, on_postgresql: bool) -> Iterator[MeasuredInstallation]:
    """Make an installation with a fleet on record."""
    with ExitStack() as stack:
        url = ""
        if on_postgresql:
            url = stack.enter_context(private_server()).url()
        made = stack.enter_context(new_installation(url))
        _child(made, "--prepare")
        made.fill(certificates)
        yield made


def _child(made: MeasuredInstallation, *arguments: str) -> str:
    """Run this module in the installation; return what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.pages", *arguments],
        cwd=ROOT,
        env=made.environment | _SETTINGS,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout


def main() -> int:
    """Command line; 1 when a page is slower than it should be or is not answered."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--certificates", type=int, nargs="+", default=[SMALL])
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL, too")
    parser.add_argument("--combined", action="store_true", help="each filter with each order")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often a page is opened")
    parser.add_argument("--only", default="", help="pages whose name has this text")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured here")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.prepare or options.here:
        import django

        django.setup()
        # The admin's line for each request goes to standard output, which is for the figures here.
        logging.getLogger("estserver.request").disabled = True
        if options.prepare:
            prepare()
            return 0
        for one in measure(rounds=options.rounds, are_combined=options.combined, only=options.only):
            print(json.dumps(asdict(one)), flush=True)
        return 0

    document, is_bad = [], False
    asked = [f"--rounds={options.rounds}", f"--only={options.only}"]
    asked += ["--combined"] if options.combined else []
    for database in ("SQLite", "PostgreSQL") if options.postgresql else ("SQLite",):
        for certificates in options.certificates:
            print(f"filling {database} with {certificates:,} certificates", file=sys.stderr)
            with filled(certificates, on_postgresql=database == "PostgreSQL") as made:
                printed = _child(made, "--here", *asked)
            measured = [Measured(**json.loads(line)) for line in printed.splitlines()]
            print("\n".join([summary(measured, certificates, database), ""]))
            print("\n".join([*table(measured, certificates), ""]), flush=True)
            document.append(
                {
                    "certificates": certificates,
                    "database": database,
                    "pages": list(map(asdict, measured)),
                }
            )
            is_bad |= any(one.is_slow(certificates) or one.is_wrong for one in measured)
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 1 if is_bad else 0


if __name__ == "__main__":
    sys.exit(main())
