"""How long each page of the web admin and the API takes for a fleet's operator.

    python -m bench.pages [--certificates 100000 1000000] [--postgresql] [--database-dir DIR]

makes installations of its own, fills them (`bench.fill`), and opens every page (`bench.console`,
`bench.api_calls`) through Django's test client, as a superuser and with a token of one. It prints
the slowest page of each kind as a Markdown table, and what takes longer than it should: 300 ms at
100,000 certificates, 600 ms at more. ``--database-dir`` keeps the installations for the next time.
"""

import argparse
import datetime
import json
import logging
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.filled import filled, in_installation, prepare
from bench.page_tables import (
    SMALL,
    Measured,
    Place,
    all_pages,
    by_kind,
    slow_pages,
    summary,
)

ROUNDS = 3
USER = "bench"


def measure(*, rounds: int, are_combined: bool, only: str = "") -> Iterator[Measured]:
    """Open each page of this process's installation ``rounds`` times, after once."""
    from django.contrib import admin
    from django.contrib.auth.models import User
    from django.core.cache import cache
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from bench.api_calls import OWNER, api_pages
    from bench.console import pages

    # Not the first superuser, who gets no page but the one that asks for a password of their own.
    user = User.objects.filter(username=USER).first() or User.objects.create_superuser(USER)
    client = Client(raise_request_exception=False, headers={"host": "localhost"})
    client.force_login(user)
    authorization = {"Authorization": f"Bearer {_token_of(user)}"}
    found = [*pages(admin.site, user, are_combined=are_combined), *api_pages()]
    for page in found:
        if only not in f"{page.owner} {page.what}":
            continue
        headers = authorization if page.owner == OWNER else {}
        cache.clear()  # requests of a token are counted
        with CaptureQueriesContext(connection) as statements:
            status = client.get(page.url, headers=headers).status_code
        count = len(statements)  # the next request empties the log
        if (status >= 400 and page.owner == OWNER) or status >= 500:
            print(f"{page.url} answers {status}", file=sys.stderr)
        times, cpus, database_cpus = [], [], []
        for _ in range(rounds):
            cpu, database_cpu = time.process_time(), _database_cpu()
            began = time.perf_counter()
            client.get(page.url, headers=headers)
            times.append((time.perf_counter() - began) * 1000)
            cpus.append((time.process_time() - cpu) * 1000)
            database_cpus.append(_database_cpu() - database_cpu)
        yield Measured(
            page.owner,
            page.what,
            page.url,
            status,
            round(statistics.median(times), 1),
            round(min(cpus), 1),
            round(min(database_cpus), 1),
            count,
        )


def _token_of(user: object) -> str:
    """Return a token of the API that may see everything."""
    from estserver.people.api_tokens import make_token
    from pki.record.audit_trail import Actor

    name = f"bench-{os.getpid()}-{time.time_ns()}"
    _, token = make_token(user, name, roles=["CA officer"], actor=Actor("command:bench"))
    return token


def _database_cpu() -> float:
    """Return the CPU milliseconds of the process that answers this connection; 0 on SQLite.

    The kernel counts nanoseconds there (https://docs.kernel.org/scheduler/sched-stats.html).
    Parallel workers, which are processes of their own, are not counted.
    """
    from django.db import connection

    if connection.vendor != "postgresql":
        return 0
    connection.ensure_connection()
    pid = connection.connection.info.backend_pid
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e6


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--certificates", type=int, nargs="+", default=[SMALL])
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL, too")
    parser.add_argument("--no-sqlite", action="store_true", help="on PostgreSQL alone")
    parser.add_argument(
        "--database-dir", type=Path, help="keep filled databases here, and use them"
    )
    parser.add_argument("--combined", action="store_true", help="each filter with each order")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often a page is opened")
    parser.add_argument("--only", default="", help="pages whose name has this text")
    parser.add_argument("--all", action="store_true", help="print every page, too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured here")
    parser.add_argument("--fill-only", action="store_true", help="fill --database-dir, and end")
    parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def _in_this_installation(options: argparse.Namespace) -> None:
    """Do what the other process of this command asks for."""
    import django

    django.setup()
    # The admin's line for each request goes to standard output, which is for the figures here.
    logging.getLogger("estserver.request").disabled = True
    if options.prepare:
        prepare()
        return
    for one in measure(rounds=options.rounds, are_combined=options.combined, only=options.only):
        print(json.dumps(vars(one)), flush=True)


def _measured(options: argparse.Namespace) -> Iterator[Place]:
    """Measure each database that is asked for."""
    asked = ["--here", f"--rounds={options.rounds}", f"--only={options.only}"]
    asked += ["--combined"] if options.combined else []
    databases = ["SQLite"] if not options.no_sqlite else []
    databases += ["PostgreSQL"] if options.postgresql or options.no_sqlite else []
    for certificates in options.certificates:
        for database in databases:
            title = f"{database} with {certificates:,} certificates"
            print(f"{title}: filling or starting", file=sys.stderr)
            on_postgresql, began = database == "PostgreSQL", time.monotonic()
            with filled(
                certificates, on_postgresql=on_postgresql, kept_in=options.database_dir
            ) as made:
                print(f"{title}: ready after {time.monotonic() - began:.0f} s", file=sys.stderr)
                if options.fill_only:
                    continue
                printed = in_installation(made, *asked)
            print(f"{title}: measured, {time.monotonic() - began:.0f} s in all", file=sys.stderr)
            pages = tuple(Measured(**json.loads(line)) for line in printed.splitlines())
            yield Place(certificates, database, pages)


def main() -> int:
    """Command line; 1 when a page is slower than it should be or is not answered."""
    options = _options()
    if options.prepare or options.here:
        _in_this_installation(options)
        return 0
    places = list(_measured(options))
    if not places:
        return 0
    for place in places:
        print(f"{summary(place)}\n")
    command = f"python -m bench.pages {' '.join(sys.argv[1:])}".strip()
    today = datetime.datetime.now(datetime.UTC).date()
    load = os.getloadavg()[2]
    print(f"`{command}`, {today}, {os.cpu_count()} cores, a load of {load:.1f}.\n")
    print("\n".join([*by_kind(places), ""]))
    if slow := slow_pages(places):
        print("\n".join([*slow, ""]))
    if options.all:
        print("\n".join("\n".join([place.title, "", *all_pages(place), ""]) for place in places))
    if options.json:
        document = [place.as_json() for place in places]
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    is_bad = any(
        one.is_slow(place.certificates) or one.is_wrong for place in places for one in place.pages
    )
    return 1 if is_bad else 0


if __name__ == "__main__":
    sys.exit(main())
