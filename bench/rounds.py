"""Measurements in turns: places that do the same alternate, each after a look at the reference."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from bench.installation import Body
from bench.load import Report, make_csr
from bench.reference import Reference
from bench.table import Row


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
    growth: tuple[int, ...]
    """Certificates in databases that are compared by their size, the smallest first."""


FULL = Plan(
    rounds=5,
    requests=600,
    rsa_requests=100,
    certificates=100_000,
    growth=(1_000, 100_000, 1_000_000),
)
QUICK = replace(FULL, rounds=3, requests=150, rsa_requests=30, growth=(1_000, 100_000))


class Way(Protocol):
    """What answers requests."""

    def measure(self, operation: str, bodies: list[Body], *, algorithm: str = "p256") -> Report:
        """Send a request for each of ``bodies``, with a client of that algorithm."""


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
ENROLL_RSA = Work("simpleenroll RSA-2048", "simpleenroll", "rsa2048")
CACERTS = Work("cacerts", "cacerts", "p256")
WORKS = (ENROLL_P256, ENROLL_RSA, CACERTS)


@dataclass(frozen=True)
class Target:
    """A way to one database, and the row for each thing measured there."""

    way: Way
    rows: dict[Work, Row]


class Bench:
    """The rounds, and the rows that fill."""

    def __init__(self, plan: Plan, reference: Reference) -> None:
        self.plan = plan
        self.reference = reference
        self.rows: list[Row] = []
        self._runs = 0

    def target(self, way: Way, place: str, database: str, works: Sequence[Work] = WORKS) -> Target:
        """A target with empty rows, warmed up."""
        # Enough for every thread of a server to have opened its connection to the database.
        warm_up = replace(self.plan, requests=min(self.plan.requests, 100), rsa_requests=2)
        rows = {}
        for work in works:
            bodies = work.bodies(warm_up, self._run_name())
            way.measure(work.operation, bodies, algorithm=work.algorithm)
            rows[work] = Row(place, work.title, database)
        self.rows += rows.values()
        return Target(way, rows)

    def run(self, targets: Sequence[Target]) -> None:
        """Measure all of ``targets``, which are places to do the same, in turns."""
        for number in range(self.plan.rounds):
            in_turn = targets if number % 2 == 0 else targets[::-1]
            for work in targets[0].rows:
                bodies = work.bodies(self.plan, self._run_name())
                for target in in_turn:
                    row = target.rows[work]
                    row.references.append(self.reference.measure(self.plan.requests))
                    row.reports.append(
                        target.way.measure(work.operation, bodies, algorithm=work.algorithm)
                    )

    def _run_name(self) -> str:
        self._runs += 1
        return str(self._runs)
