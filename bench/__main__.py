"""How much CPU an enrollment costs, in process and over mutual TLS, on databases small and large.

    python -m bench [--quick] [--json FILE]

makes installations of its own in temporary directories, serves them on free loopback ports, and
ends what it started. Measurements alternate between an empty and a full database, round by round,
each after a fresh look at the reference: so ratios hold on a machine that does other things too.
"""

import argparse
import json
import signal
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from bench import table
from bench.installation import Body, InProcess, Served, new_installation
from bench.load import make_csr
from bench.reference import Reference
from bench.table import BY_SIGNER, Row
from demo import cloud as aws
from tests.support.postgresql import private_server


@dataclass(frozen=True)
class Plan:
    """How much is measured."""

    rounds: int
    requests: int
    """In each measurement."""
    rsa_requests: int
    """The same with RSA; fewer, for each needs a key of its own, and those are slow to make."""
    certificates: int
    """In the full database."""


FULL = Plan(rounds=5, requests=600, rsa_requests=100, certificates=100_000)
QUICK = Plan(rounds=3, requests=150, rsa_requests=30, certificates=100_000)


@dataclass(frozen=True)
class Work:
    """An operation, with the key of the CSR and of the client."""

    title: str
    operation: str
    algorithm: str

    def bodies(self, plan: Plan, run: str) -> list[Body]:
        """What to send; names and keys are new for each ``run``."""
        if self.operation == "cacerts":
            return [None] * plan.requests
        count = plan.rsa_requests if self.algorithm == "rsa2048" else plan.requests
        names = [f"bench-{self.algorithm}-{run}-{number}" for number in range(count)]
        # Not multiprocessing.Pool: it ends its workers by SIGTERM, which means "tidy up" here.
        with ProcessPoolExecutor() as pool:
            made = pool.map(partial(make_csr, algorithm=self.algorithm), names, chunksize=10)
            return [body.decode() for body in made]


ENROLL_P256 = Work("simpleenroll P-256", "simpleenroll", "p256")
CACERTS = Work("cacerts", "cacerts", "p256")
WORKS = (ENROLL_P256, Work("simpleenroll RSA-2048", "simpleenroll", "rsa2048"), CACERTS)
SIGNERS = ("keyfile", "secretsmanager", "kms")
ON_POSTGRESQL = replace(ENROLL_P256, title="simpleenroll P-256 on PostgreSQL")
IN_PROCESS = "in process, through an API Gateway event"
MUTUAL_TLS = "over mutual TLS, a fresh connection each"


@dataclass(frozen=True)
class Target:
    """A way to one database, and the row for each thing measured there."""

    way: InProcess | Served
    rows: dict[Work, Row]


class Bench:
    """The rounds, and the rows that fill."""

    def __init__(self, plan: Plan, reference: Reference) -> None:
        self.plan = plan
        self.reference = reference
        self.rows: list[Row] = []

    def target(
        self, way: InProcess | Served, place: str, database: str, works: Sequence[Work] = WORKS
    ) -> Target:
        """A target with empty rows, warmed up."""
        # Enough for every thread of a server to have opened its connection to the database.
        warm_up = replace(self.plan, requests=min(self.plan.requests, 100), rsa_requests=2)
        rows = {}
        for work in works:
            bodies = work.bodies(warm_up, f"warm-up-{place[:2]}")
            way.measure(work.operation, bodies, algorithm=work.algorithm)
            rows[work] = Row(place, work.title, database)
        self.rows += rows.values()
        return Target(way, rows)

    def run(self, targets: Sequence[Target]) -> None:
        """Measure all of ``targets``, which are places to do the same, in turns."""
        for number in range(self.plan.rounds):
            in_turn = targets if number % 2 == 0 else targets[::-1]
            for work in targets[0].rows:
                bodies = work.bodies(self.plan, f"{targets[0].rows[work].place[:2]}-{number}")
                for target in in_turn:
                    row = target.rows[work]
                    row.references.append(self.reference.measure(self.plan.requests))
                    row.reports.append(
                        target.way.measure(work.operation, bodies, algorithm=work.algorithm)
                    )


def measure(plan: Plan) -> tuple[list[Row], list[str]]:
    """Measure everything; returns the rows, and notes to go with them."""
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="est-bench-"))
        reference = Reference(Path(directory))
        stack.callback(reference.close)
        bench = Bench(plan, reference)

        databases = {
            "empty": stack.enter_context(new_installation()),
            f"{plan.certificates:,} certificates": stack.enter_context(new_installation()),
        }
        _, full = databases.values()
        _say(f"filling a database with {plan.certificates:,} certificates")
        full.fill(plan.certificates)

        _say(IN_PROCESS)
        with ExitStack() as here:
            bench.run(
                [
                    bench.target(here.enter_context(made.in_process()), IN_PROCESS, name)
                    for name, made in databases.items()
                ]
            )
        _say(MUTUAL_TLS)
        with ExitStack() as here:
            bench.run(
                [
                    bench.target(here.enter_context(made.served()), MUTUAL_TLS, name)
                    for name, made in databases.items()
                ]
            )
        _say(BY_SIGNER)
        _measure_signers(bench)
        _say("the same on PostgreSQL")
        note = _measure_postgresql(bench)
    return bench.rows, [note]


def _measure_signers(bench: Bench) -> None:
    """What a signature costs with each holder of the key. moto answers for AWS, at no distance."""
    with ExitStack() as here:
        cloud = here.enter_context(aws.running())
        targets = []
        for signer in SIGNERS:
            made = here.enter_context(new_installation(signer=signer, aws=cloud.environment))
            lambda_side = here.enter_context(made.in_process())
            targets.append(bench.target(lambda_side, BY_SIGNER, signer, [ENROLL_P256, CACERTS]))
        bench.run(targets)


def _measure_postgresql(bench: Bench) -> str:
    """Enroll on a private PostgreSQL server, if there is one; returns what is to be said of it."""
    try:
        with ExitStack() as stack:
            server = stack.enter_context(private_server())
            server.execute("CREATE DATABASE bench")
            pid = int((server.directory / "data" / "postmaster.pid").read_text().split()[0])
            made = stack.enter_context(new_installation(server.url("bench")))
            served = stack.enter_context(made.served(database_pid=pid))
            bench.run([bench.target(served, MUTUAL_TLS, "empty", [ON_POSTGRESQL])])
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        return f"PostgreSQL wasn't measured: {missing}"
    return "PostgreSQL: its own CPU is counted, and fsync is off; SQLite's is on."


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> int:
    """Command line; 0 when every request was answered with 2xx."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="about a minute, for a first look")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured here")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--requests", type=int, help="in each measurement")
    parser.add_argument("--certificates", type=int, help="in the full database")
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    plan = replace(
        plan,
        rounds=options.rounds or plan.rounds,
        requests=options.requests or plan.requests,
        rsa_requests=min(plan.rsa_requests, options.requests or plan.requests),
        certificates=options.certificates or plan.certificates,
    )
    # So that servers are stopped, whoever tells us to stop.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    rows, notes = measure(plan)
    for row in rows:
        for report in row.reports:
            notes += [f"{row.place}, {row.what}: {n} x {why}" for why, n in report.errors.items()]
    print("\n".join(table.lines(rows, notes=notes)))
    if options.json:
        options.json.write_text(json.dumps(table.document(rows, notes=notes), indent=1) + "\n")
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
