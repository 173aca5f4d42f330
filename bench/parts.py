"""The parts of `python -m bench`: what is compared with what. Each fills rows of the bench."""

import sys
from contextlib import ExitStack
from dataclasses import replace

import pytest

from bench import round_trips
from bench.installation import MeasuredInstallation, new_installation
from bench.peer import Peer
from bench.rounds import CACERTS, ENROLL_P256, WORKS, Bench
from bench.table import BY_SIGNER
from demo import cloud as aws
from tests.support.postgresql import private_server

SIGNERS = ("keyfile", "secretsmanager", "kms")
PROCESSES = (1, 2, 4)
IN_PROCESS = "in process, through an API Gateway event"
MUTUAL_TLS = "over mutual TLS, a fresh connection each"
GROWTH = "in process, as the database grows"
ON_POSTGRESQL = "on PostgreSQL over mutual TLS, by processes of the server"
BESIDE = "over mutual TLS, beside another server"
THIS_SERVER = "this server"
POSTGRESQL_WORK = replace(ENROLL_P256, title="simpleenroll P-256 on PostgreSQL")


class Missing(Exception):
    """A program that a part needs is not on this machine. Nothing was measured."""


def sqlite(bench: Bench) -> None:
    """Measure an empty and a full database, in process and over mutual TLS."""
    with ExitStack() as stack:
        count = bench.plan.certificates
        databases = {
            "empty": stack.enter_context(new_installation()),
            f"{count:,} certificates": _filled(stack, count),
        }
        say(IN_PROCESS)
        with ExitStack() as here:
            bench.run(
                [
                    bench.target(here.enter_context(made.in_process()), IN_PROCESS, name)
                    for name, made in databases.items()
                ]
            )
        say(MUTUAL_TLS)
        with ExitStack() as here:
            bench.run(
                [
                    bench.target(here.enter_context(made.served()), MUTUAL_TLS, name, WORKS)
                    for name, made in databases.items()
                ]
            )


def signers(bench: Bench) -> None:
    """Measure a signature with each holder of the key. moto plays AWS, at no distance."""
    say(BY_SIGNER)
    with ExitStack() as here:
        cloud = here.enter_context(aws.running())
        targets = []
        for signer in SIGNERS:
            made = here.enter_context(new_installation(signer=signer, aws=cloud.environment))
            lambda_side = here.enter_context(made.in_process())
            targets.append(bench.target(lambda_side, BY_SIGNER, signer, [ENROLL_P256, CACERTS]))
        bench.run(targets)


def postgresql(bench: Bench) -> None:
    """Measure 1, 2 and 4 server processes on a private PostgreSQL server. Raises ``Missing``."""
    say(ON_POSTGRESQL)
    try:
        with ExitStack() as stack:
            server = stack.enter_context(private_server())
            server.execute("CREATE DATABASE bench")
            pid = int((server.directory / "data" / "postmaster.pid").read_text().split()[0])
            made = stack.enter_context(new_installation(server.url("bench")))
            for count in PROCESSES:
                with made.served(f"--workers={count}", database_pid=pid) as served:
                    name = f"{count} process" + "es" * (count > 1)
                    bench.run([bench.target(served, ON_POSTGRESQL, name, [POSTGRESQL_WORK])])
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        raise Missing(f"PostgreSQL wasn't measured: {missing}") from missing


def growth(bench: Bench) -> None:
    """Measure an enrollment in process on databases of several sizes."""
    say(GROWTH)
    with ExitStack() as stack:
        targets = []
        for count in bench.plan.growth:
            handler = stack.enter_context(_filled(stack, count).in_process())
            name = f"{count:,} certificates"
            targets.append(bench.target(handler, GROWTH, name, [ENROLL_P256]))
        bench.run(targets)


def beside(bench: Bench, peer: Peer) -> None:
    """Measure another EST server and this one in turns, with the same requests."""
    say(f"{BESIDE}, {peer.name}")
    with ExitStack() as stack:
        made = stack.enter_context(new_installation())
        works = [ENROLL_P256, CACERTS]
        own = bench.target(stack.enter_context(made.served()), BESIDE, THIS_SERVER, works)
        bench.run([own, bench.target(peer, BESIDE, peer.name, works)])


def waits(bench: Bench) -> list[tuple[str, int, float]]:
    """Return how often a request waits for PostgreSQL, and its milliseconds. Raises ``Missing``."""
    say("round trips to PostgreSQL")
    try:
        return round_trips.measure()
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        raise Missing(f"Round trips weren't measured: {missing}") from missing


def _filled(stack: ExitStack, count: int) -> MeasuredInstallation:
    made = stack.enter_context(new_installation())
    say(f"filling a database with {count:,} certificates")
    made.fill(count)
    return made


def say(what: str) -> None:
    """Tell the person what is measured now."""
    print(what, file=sys.stderr, flush=True)
