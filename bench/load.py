"""How fast an EST server is for devices: a fresh TCP connection and full mutual TLS each time.

    python -m bench.load --port 8443 --server-ca var/server-ca.pem \
        --client client.pem --client-key client.key --requests 1000 --concurrency 8 --pid PID

prints requests per second, latency percentiles, what went wrong, and (with ``--pid``, the server's
first process) the CPU that the server's whole process tree spent per request. Nothing is resumed
and nothing is kept alive: that is what devices do. CSRs are made before the clock starts.

Loopback only, and bounded in number and time: this is a yardstick, not a weapon.
"""

import argparse
import base64
import ipaddress
import json
import multiprocessing
import os
import queue
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from bench.target import TLS_VERSIONS, Target, exchange

MAX_REQUESTS = 200_000
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Outcome:
    """What one client process saw: seconds per request that succeeded, and what failed."""

    latencies: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Report:
    """The run in figures; times in milliseconds."""

    requests: int
    failed: int
    seconds: float
    per_second: float
    p50: float
    p95: float
    p99: float
    server_cpu: float | None
    client_cpu: float
    errors: dict[str, int]
    aws_calls: int = 0
    """Calls that the server made to AWS, retries not counted; in process only."""
    cpu_by_process: tuple[float, ...] = ()
    """``server_cpu``, for each of the processes that were named and its descendants."""
    machine_busy: float = 0.0
    """How many cores were busy, with this or with other work."""

    @property
    def busy_by_process(self) -> list[float]:
        """How many cores each of these kept busy."""
        return [cpu * self.per_second / 1000 for cpu in self.cpu_by_process]

    @property
    def busy_clients(self) -> float:
        """How many cores the clients kept busy."""
        return self.client_cpu * self.per_second / 1000


def _client(target: Target, requests: list[bytes], threads: int, until: float) -> Outcome:
    """Send ``requests`` from ``threads`` threads, none after the monotonic time ``until``."""
    outcome = Outcome()
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for request in requests:
        waiting.put(request)

    def work() -> None:
        context = target.context()
        while time.monotonic() < until:
            try:
                request = waiting.get_nowait()
            except queue.Empty:
                return
            started = time.monotonic()
            try:
                status = exchange(target, context, request)
            except (OSError, ValueError) as error:
                outcome.errors[f"{type(error).__name__}: {error}"[:120]] += 1
                continue
            if status.startswith("2"):
                outcome.latencies.append(time.monotonic() - started)
            else:
                outcome.errors[f"status {status}"] += 1
        outcome.errors["not sent: out of time"] += waiting.qsize()

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return outcome


def _client_process(
    target: Target,
    requests: list[bytes],
    threads: int,
    seconds: float,
    ready: "multiprocessing.synchronize.Barrier",
    results: "multiprocessing.Queue[tuple[Outcome, float]]",
) -> None:
    ready.wait()
    before = time.process_time()
    outcome = _client(target, requests, threads, time.monotonic() + seconds)
    results.put((outcome, time.process_time() - before))


def cpu_seconds(pid: int) -> float:
    """User and system CPU that ``pid`` and all its descendants have spent, reaped ones included."""
    children: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name in parentheses may itself hold spaces: split after it (proc(5)).
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue  # ended while we were looking
            children.setdefault(int(fields[1]), []).append(int(entry.name))
            ticks[int(entry.name)] = sum(map(int, fields[11:15]))
    tree, total = [pid], 0
    while tree:
        process = tree.pop()
        total += ticks.get(process, 0)
        tree += children.get(process, [])
    return total / CLOCK_TICKS


def machine_cpu_seconds() -> float:
    """The CPU that everything here has spent: all but idle and iowait (proc(5), stat)."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    ticks = [int(each) for each in fields]
    return (sum(ticks) - ticks[3] - ticks[4]) / CLOCK_TICKS


def make_csr(common_name: str, algorithm: str) -> bytes:
    """A CSR with a key of its own, as EST wants it: base64 of DER (RFC 8951 3)."""
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = (
        ec.generate_private_key(ec.SECP256R1())
        if algorithm == "p256"
        else rsa.generate_private_key(public_exponent=65537, key_size=2048)
    )
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
    return base64.b64encode(csr.public_bytes(Encoding.DER)) + b"\n"


def run(
    target: Target,
    bodies: list[bytes | None],
    *,
    concurrency: int,
    processes: int = 2,
    seconds: float = 60,
    server_pids: Sequence[int] = (),
) -> Report:
    """Send one request per body from ``concurrency`` clients, for at most ``seconds``.

    The server's CPU is that of ``server_pids`` and their descendants; no one may be another's.

    Raises:
        ValueError: for a target that isn't on the loopback, or too many requests.
    """
    if not ipaddress.ip_address(target.host).is_loopback:
        raise ValueError(f"{target.host} isn't a loopback address; this load stays on one machine")
    if len(bodies) > MAX_REQUESTS:
        raise ValueError(f"{len(bodies)} requests are more than {MAX_REQUESTS}")
    requests = [target.request(body) for body in bodies]
    processes = max(1, min(processes, concurrency))
    fork = multiprocessing.get_context("fork")
    ready = fork.Barrier(processes + 1)
    results: multiprocessing.Queue[tuple[Outcome, float]] = fork.Queue()
    clients = [
        fork.Process(
            target=_client_process,
            args=(
                target,
                requests[number::processes],
                concurrency // processes + (number < concurrency % processes),
                seconds,
                ready,
                results,
            ),
        )
        for number in range(processes)
    ]
    for client in clients:
        client.start()
    ready.wait()
    cpu_before = [cpu_seconds(pid) for pid in server_pids]
    machine_before = machine_cpu_seconds()
    started = time.monotonic()
    outcomes = [results.get() for _ in clients]
    elapsed = time.monotonic() - started
    machine_busy = (machine_cpu_seconds() - machine_before) / elapsed
    cpu_after = [cpu_seconds(pid) for pid in server_pids]
    for client in clients:
        client.join()

    measured = report(
        [second for outcome, _ in outcomes for second in outcome.latencies],
        sum((outcome.errors for outcome, _ in outcomes), Counter()),
        seconds=elapsed,
        server_cpu=[after - before for after, before in zip(cpu_after, cpu_before, strict=True)],
        client_cpu=sum(spent for _, spent in outcomes),
    )
    return replace(measured, machine_busy=round(machine_busy, 2))


def report(
    latencies: Sequence[float],
    errors: Counter[str],
    *,
    seconds: float,
    server_cpu: Sequence[float],
    client_cpu: float = 0.0,
) -> Report:
    """The figures of a run, from seconds: each request's latency, the whole, and CPU."""
    served = len(latencies)
    by_process = tuple(round(cpu / max(served, 1) * 1000, 3) for cpu in server_cpu)
    quantiles = statistics.quantiles(latencies, n=100) if served > 1 else [float("nan")] * 99
    return Report(
        requests=served,
        failed=errors.total(),
        seconds=round(seconds, 3),
        per_second=round(served / seconds, 1),
        p50=round(quantiles[49] * 1000, 2),
        p95=round(quantiles[94] * 1000, 2),
        p99=round(quantiles[98] * 1000, 2),
        server_cpu=round(sum(by_process), 3) if by_process and served else None,
        client_cpu=round(client_cpu / max(served, 1) * 1000, 3),
        errors=dict(errors),
        cpu_by_process=by_process,
    )


def main(arguments: list[str] | None = None) -> int:
    """Command line; 0 when every request was answered with 2xx."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8443)
    parser.add_argument("--server-ca", type=Path, required=True, help="verifies the server")
    parser.add_argument("--client", type=Path, help="client certificate, PEM, chain included")
    parser.add_argument("--client-key", type=Path)
    parser.add_argument("--operation", default="simpleenroll", help="or cacerts, csrattrs, ...")
    parser.add_argument("--path", help="another path; default /.well-known/est/OPERATION")
    parser.add_argument("--csr-key", choices=["p256", "rsa2048"], default="p256")
    parser.add_argument("--name-prefix", default=f"bench-{os.getpid()}-{int(time.time())}-")
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--concurrency", type=int, default=8)
    parser.add_argument("--processes", type=int, default=2, help="client processes")
    parser.add_argument("--seconds", type=float, default=60, help="stop after this long")
    parser.add_argument("--timeout", type=float, default=10, help="of one socket operation")
    parser.add_argument("--tls", choices=sorted(TLS_VERSIONS), help="only this version")
    parser.add_argument("--nodelay", action="store_true", help="clients set TCP_NODELAY")
    parser.add_argument("--pid", type=int, help="server's first process, for its CPU")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object per run")
    options = parser.parse_args(arguments)

    target = Target(
        host=options.host,
        port=options.port,
        path=options.path or f"/.well-known/est/{options.operation}",
        server_ca=options.server_ca,
        client=options.client,
        client_key=options.client_key,
        tls=options.tls,
        timeout=options.timeout,
        nodelay=options.nodelay,
    )
    failed = 0
    for number in range(options.runs):
        bodies: list[bytes | None] = [
            make_csr(f"{options.name_prefix}{number}-{index}", options.csr_key)
            if options.operation.endswith("enroll")
            else None
            for index in range(options.requests)
        ]
        try:
            report = run(
                target,
                bodies,
                concurrency=options.concurrency,
                processes=options.processes,
                seconds=options.seconds,
                server_pids=[options.pid] if options.pid else [],
            )
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        failed += report.failed
        if options.json:
            print(json.dumps(asdict(report)), flush=True)
        else:
            cpu = "-" if report.server_cpu is None else f"{report.server_cpu:.2f}"
            print(
                f"{report.requests} answered, {report.failed} failed in {report.seconds:.1f} s: "
                f"{report.per_second:.0f}/s; p50 {report.p50:.1f} p95 {report.p95:.1f} "
                f"p99 {report.p99:.1f} ms; CPU per request: server {cpu} ms, "
                f"client {report.client_cpu:.2f} ms",
                flush=True,
            )
            for why, count in sorted(report.errors.items()):
                print(f"  {count} x {why}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
