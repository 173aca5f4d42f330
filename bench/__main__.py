"""How much CPU an enrollment costs, in process and over mutual TLS, on databases small and large.

    python -m bench [--quick] [--parts PART,PART] [--json FILE] [--write-docs]

makes installations of its own in temporary directories, serves them on free loopback ports, and
ends what it started. Measurements alternate between places to do the same, round by round, each
after a fresh look at the reference: so ratios hold on a machine that does other things too.

Another EST server that runs on this machine is measured beside this one, in the same rounds:

    python -m bench --parts peer --peer libest=https://localhost:8085/.well-known/est \
        --peer-ca ca.pem --peer-cert client.pem --peer-key client.key --peer-pid PID
"""

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench import document, parts, table
from bench.peer import Peer, PeerUnusable, parse_peer
from bench.reference import Reference
from bench.rounds import FULL, QUICK, Bench, Plan
from bench.table import Row

PARTS = ("sqlite", "signers", "postgresql", "growth", "round-trips", "peer")


def measure(
    plan: Plan, chosen: list[str], peer: Peer | None
) -> tuple[list[Row], list[tuple[str, int, float]], list[str]]:
    """Measure the parts; return the rows, how often requests wait, and notes to go with them."""
    notes, waits = [], []
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="est-bench-"))
        reference = Reference(Path(directory))
        stack.callback(reference.close)
        bench = Bench(plan, reference)
        if "sqlite" in chosen:
            parts.sqlite(bench)
        if "signers" in chosen:
            parts.signers(bench)
        if "growth" in chosen:
            parts.growth(bench)
        if peer and "peer" in chosen:
            parts.beside(bench, peer)
        try:
            if "postgresql" in chosen:
                parts.postgresql(bench)
                notes.append(
                    "PostgreSQL: its own CPU is counted, and fsync is off; SQLite's is on."
                )
            if "round-trips" in chosen:
                waits = parts.waits(bench)
        except parts.Missing as missing:
            notes.append(str(missing))
    return bench.rows, waits, notes


def main() -> int:
    """Command line; 0 when every request was answered with 2xx, 2 when nothing was measured."""
    options = _options()
    plan = QUICK if options.quick else FULL
    plan = replace(
        plan,
        rounds=options.rounds or plan.rounds,
        requests=options.requests or plan.requests,
        rsa_requests=min(plan.rsa_requests, options.requests or plan.requests),
        certificates=options.certificates or plan.certificates,
        growth=options.growth or plan.growth,
    )
    try:
        peer = _peer(options)
    except PeerUnusable as error:
        print(error, file=sys.stderr)
        return 2
    # So that servers are stopped, whoever tells us to stop.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))

    load_before = os.getloadavg()[1]
    rows, waits, notes = measure(plan, options.parts, peer)
    notes.append(
        f"Other work on the machine before the first measurement: a load of {load_before:.1f}."
    )
    for row in rows:
        for report in row.reports:
            notes += [f"{row.place}, {row.what}: {n} x {why}" for why, n in report.errors.items()]
    print("\n".join(table.lines(rows, notes=notes)))
    if waits:
        print("\n".join(table.waits_markdown(waits)))
    if options.json:
        options.json.write_text(json.dumps(table.document(rows, notes=notes), indent=1) + "\n")
    if options.write_docs:
        command = shlex.join(["python", "-m", "bench", *_without_files(sys.argv[1:])])
        for path in document.write(rows, waits, notes, command=command, docs=options.docs):
            print(f"wrote {path}", file=sys.stderr)
    return 1 if any(row.failed for row in rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="about a minute, for a first look")
    parser.add_argument(
        "--parts", type=_chosen, default=list(PARTS), help=f"of {','.join(PARTS)}; default: all"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures here")
    parser.add_argument(
        "--write-docs", action="store_true", help="write tables and charts to docs/performance.md"
    )
    parser.add_argument(
        "--docs", type=Path, default=document.DOCS, help="where --write-docs writes"
    )
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--requests", type=int, help="in each measurement")
    parser.add_argument("--certificates", type=int, help="in the full database")
    parser.add_argument(
        "--growth", type=_sizes, metavar="N,N", help="sizes of databases to compare, smallest first"
    )
    peer = parser.add_argument_group("another EST server on this machine, measured beside this one")
    peer.add_argument("--peer", metavar="NAME=URL", help="the URL of its EST operations")
    peer.add_argument("--peer-ca", type=Path, metavar="FILE", help="verifies its certificate")
    peer.add_argument("--peer-cert", type=Path, metavar="FILE", help="a client that may enroll")
    peer.add_argument("--peer-key", type=Path, metavar="FILE", help="and its key")
    peer.add_argument("--peer-pid", type=int, metavar="PID", help="its first process, for its CPU")
    return parser.parse_args()


def _chosen(text: str) -> list[str]:
    chosen = text.split(",")
    if unknown := sorted({*chosen} - {*PARTS}):
        raise argparse.ArgumentTypeError(f"There is no part {unknown[0]!r}. Use {','.join(PARTS)}.")
    return chosen


def _without_files(arguments: list[str]) -> list[str]:
    """Leave out where results went: paths of one machine."""
    where = ("--docs", "--json")
    return [
        each
        for before, each in zip(["", *arguments], arguments, strict=False)
        if before not in where and not each.startswith(where)
    ]


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


def _peer(options: argparse.Namespace) -> Peer | None:
    """Return the peer, if there is one, after a look at it. Raises ``PeerUnusable``."""
    if not options.peer:
        if options.parts == ["peer"]:
            raise PeerUnusable("--parts peer needs --peer NAME=URL.")
        return None
    given = (options.peer_ca, options.peer_cert, options.peer_key)
    if None in given or options.peer_pid is None:
        raise PeerUnusable("--peer needs --peer-ca, --peer-cert, --peer-key and --peer-pid.")
    peer = parse_peer(options.peer, files=given, pid=options.peer_pid)
    peer.check()
    return peer


if __name__ == "__main__":
    sys.exit(main())
