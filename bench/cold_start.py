"""What a cold start on Lambda costs: import and first request of the packaged device side.

    python -m bench.cold_start [--rounds N] [--json FILE]

beside a plain function of boto3 and cryptography that signs (`bench.plain_function`), out of the
same package, with byte code as valid. Each start is a process of its own that sees the package
alone; the three alternate, a first round is left out. CPU, because it is what Lambda's time is
made of, and because other work on the machine weighs on it least. Neither fetches anything remote:
keys are in files, the database is SQLite. On PostgreSQL and on Aurora DSQL, which PostgreSQL and
the tests' gate play, a start also makes its connection; for Aurora DSQL it signs the token.
"""

import argparse
import datetime
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench import cold_process
from bench.in_process import event
from bench.installation import MeasuredInstallation, new_installation
from bench.load import make_csr
from bench.table import machine
from estserver.dsql.grants import ADMIN_ROLE, DEVICE_ROLE, setup_statements
from tests.estserver.deploy.packages import UnpackedPackage, unpacked_package
from tests.support.dsql.clients import connect
from tests.support.dsql.cluster import TESTER, dsql_cluster
from tests.support.postgresql import private_server

PLAIN = "plain function, a signature"
TARGETS = {"cacerts": 0.6, "simpleenroll": 1.0}
"""Of the plain function's CPU, on SQLite."""
ON_POSTGRESQL = " on PostgreSQL"
ON_DSQL = " on Aurora DSQL"
AWS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
"""What the cluster's only principal signs with."""


@dataclass(frozen=True)
class Start:
    """One cold start, in milliseconds of CPU."""

    import_ms: float
    request_ms: float
    modules: int

    @property
    def total_ms(self) -> float:
        """Import and first request."""
        return self.import_ms + self.request_ms


@dataclass(frozen=True)
class Starter:
    """Starts functions out of one unpacked package."""

    package: UnpackedPackage
    directory: Path

    def plain(self, number: int) -> Start:
        """Start the plain function, which signs."""
        body = make_csr(f"plain-{number}", "p256").decode()
        environ = {"AWS_DEFAULT_REGION": "eu-central-1", "PLAIN_DATA_DIR": str(self.directory)}
        return self._start("plain_function", event("/simpleenroll", "", body), environ)

    def product(self, installation: MeasuredInstallation, operation: str, number: int) -> Start:
        """Start the device side."""
        body = None if operation == "cacerts" else make_csr(f"cold-{number}", "p256").decode()
        client = installation.test_client[0].read_text()
        path = f"/.well-known/est/{operation}"
        sqlite = f"sqlite:///{installation.data_dir}/est.sqlite3"
        environ = {
            "EST_DATA_DIR": str(installation.data_dir),
            "DATABASE_URL": installation.database_url or sqlite,
            **installation.aws,
        }
        return self._start("estserver.lambda_est", event(path, client, body), environ)

    def _start(
        self, module: str, content: Mapping[str, object], environ: Mapping[str, str]
    ) -> Start:
        event_file = self.directory / "event.json"
        event_file.write_text(json.dumps(content))
        printed = self.package.run(
            cold_process.__file__, *(self.package.root, module, event_file), environ=environ
        )
        found = json.loads(printed.splitlines()[-1])
        if found["status"] != 200:
            raise AssertionError(f"{module} answered {found['status']}: {found['body']}")
        return Start(found["import_ms"], found["request_ms"], len(found["modules"]))


def measure(rounds: int) -> dict[str, list[Start]]:
    """``rounds`` cold starts of each, alternating."""
    starts: dict[str, list[Start]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="est-cold-")))
        print("making the package and the installations", file=sys.stderr, flush=True)
        starter = _starter(directory)
        installations = {"": stack.enter_context(new_installation())}
        with suppress(pytest.skip.Exception, pytest.fail.Exception):  # it isn't installed
            url = stack.enter_context(private_server()).url()
            installations[ON_POSTGRESQL] = stack.enter_context(new_installation(url))
            installations[ON_DSQL] = stack.enter_context(_installation_on_dsql())
        for number in range(rounds + 1):
            found = {PLAIN: starter.plain(number)}
            for on, installation in installations.items():
                for operation in TARGETS:
                    found[f"{operation}{on}"] = starter.product(installation, operation, number)
            for what, start in found.items():
                measured = starts.setdefault(what, [])
                if number:  # the first fills the system's cache of files
                    measured.append(start)
    return starts


@contextmanager
def _installation_on_dsql() -> Iterator[MeasuredInstallation]:
    """Yield an installation that the admin's role made, for the role of the device side."""
    with private_server() as server, dsql_cluster(server) as cluster:
        with connect(cluster) as session:
            for statement in setup_statements({ADMIN_ROLE: TESTER.arn, DEVICE_ROLE: TESTER.arn}):
                session.execute(statement)  # type: ignore[arg-type]  # psycopg wants a literal
        with new_installation(cluster.url(ADMIN_ROLE), aws=AWS) as installation:
            yield replace(installation, database_url=cluster.url(DEVICE_ROLE))


def _starter(directory: Path) -> Starter:
    package = unpacked_package("est", directory)
    source = Path(__file__).with_name("plain_function.py")
    (package.root / source.name).write_bytes(source.read_bytes())
    subprocess.run(
        [
            *(sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
            package.root / source.name,
        ],
        check=True,
    )
    _make_plain_ca(directory)
    return Starter(package, directory)


def _make_plain_ca(directory: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Plain CA")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, SHA256())
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "ca.key").write_bytes(pem)
    (directory / "ca.pem").write_bytes(certificate.public_bytes(Encoding.PEM))


def ratio(starts: Sequence[Start], plain: Sequence[Start]) -> float:
    """How the medians compare."""
    return _median([each.total_ms for each in starts]) / _median([each.total_ms for each in plain])


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)


def lines(starts: Mapping[str, Sequence[Start]]) -> list[str]:
    """A table for people."""
    rows = [
        ", ".join(f"{name} {value}" for name, value in machine().items()),
        "cold start, ms of CPU, median (least - most)",
        f"{'':30} {'import':>8} {'request':>8} {'both':>24} {'modules':>8} {'x plain':>8} target",
    ]
    for what, found in starts.items():
        totals = [each.total_ms for each in found]
        both = f"{_median(totals):.0f} ({min(totals):.0f} - {max(totals):.0f})"
        rows.append(
            f"{what:30} {_median([each.import_ms for each in found]):8.0f} "
            f"{_median([each.request_ms for each in found]):8.0f} {both:>24} "
            f"{found[0].modules:8} {ratio(found, starts[PLAIN]):8.2f} {TARGETS.get(what, '')}"
        )
    return rows


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured here")
    options = parser.parse_args()
    starts = measure(options.rounds)
    print("\n".join(lines(starts)))
    if options.json:
        document = {
            "machine": machine(),
            "starts": {what: [asdict(each) for each in found] for what, found in starts.items()},
            "ratio": {what: ratio(found, starts[PLAIN]) for what, found in starts.items()},
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
