"""What is measured: an installation as ``make run`` makes it, served, and called in process."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench import load
from tests.interop.server import ROOT, Installation, RunningServer

CONCURRENCY = 8
"""Clients at a time."""

SECONDS = 60
"""After which a measurement that isn't through gives up; what wasn't sent has failed."""

Body = str | None
"""A CSR as EST wants it, or nothing for a GET."""


@dataclass(frozen=True)
class MeasuredInstallation(Installation):
    """An installation with its own database, whatever this machine has configured."""

    database_url: str = ""
    configuration: Path = ROOT / "config" / "config-local.yaml"
    aws: Mapping[str, str] = field(default_factory=dict)
    """Environment that leads boto3 to an account."""

    @property
    def environment(self) -> dict[str, str]:
        """The configuration, this database, and AWS where it is wanted."""
        return (
            super().environment
            | {"EST_CONFIG": str(self.configuration), "DATABASE_URL": self.database_url}
            | self.aws
        )

    @property
    def rsa_client(self) -> tuple[Path, Path]:
        """A client certificate with an RSA key, and the key."""
        return self.data_dir / "rsa-client.pem", self.data_dir / "rsa-client.key"

    def make(self) -> None:
        """Database, CAs, and a client certificate for each kind of key."""
        certificate, key_file = self.rsa_client
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "rsa-client")])
        csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, SHA256())
        csr_file = self.data_dir / "rsa-client.csr"
        csr_file.write_bytes(csr.public_bytes(Encoding.PEM))
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.manage_in_turn(
            self.quickstart_command,
            # One client enrolls more names here than the default profile lets it within an hour.
            ("profile_set", "default", "new_names_per_hour=100000", "--reason=benchmark"),
            ("sign_client_csr", str(csr_file), f"--out={certificate}"),
        )

    def fill(self, count: int) -> None:
        """Give the database a history of ``count`` certificates; see `bench.fill`."""
        with self.in_process() as lambda_side:
            first = load.make_csr("template", "p256").decode()
            if lambda_side.measure("simpleenroll", [first]).failed:
                raise AssertionError("the certificate to copy was refused")
        subprocess.run(
            [sys.executable, "-m", "bench.fill", str(count)],
            cwd=ROOT,
            env=self.est_environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    @contextmanager
    def in_process(self) -> Iterator["InProcess"]:
        """The Lambda handler in a process of its own, which ends with the block."""
        with subprocess.Popen(
            [sys.executable, "-m", "bench.in_process"],
            cwd=ROOT,
            env=self.est_environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            process_group=0,
        ) as process:
            yield InProcess(process)

    @contextmanager
    def served(self, *options: str, database_pid: int | None = None) -> Iterator["Served"]:
        """``runest`` with its defaults and ``options``, which ends with the block.

        The CPU of a database server is counted, if its first process is given.
        """
        server = RunningServer(self, *options)
        pids = [server.process.pid, *([database_pid] if database_pid else [])]
        try:
            yield Served(self, pids)
        finally:
            server.stop()

    @property
    def est_environment(self) -> dict[str, str]:
        """The environment of a process of the device side."""
        return self.environment | {"DJANGO_SETTINGS_MODULE": "estserver.settings.est"}


@dataclass(frozen=True)
class InProcess:
    """The Lambda handler, waiting in its process."""

    process: subprocess.Popen[str]

    def measure(
        self, operation: str, bodies: list[Body], *, algorithm: str = "p256"
    ) -> load.Report:
        """One event for each of ``bodies``, one after the other."""
        stdin, stdout = self.process.stdin, self.process.stdout
        if stdin is None or stdout is None:
            raise AssertionError("opened with pipes")
        print(json.dumps({"operation": operation, "bodies": bodies}), file=stdin, flush=True)
        answer = stdout.readline()
        if not answer:
            raise SystemExit("bench: the handler's process ended; its last words are above")
        return load.Report(**json.loads(answer))


@dataclass(frozen=True)
class Served:
    """A server that runs, with every process whose CPU is the server's."""

    installation: MeasuredInstallation
    pids: list[int]

    def measure(
        self, operation: str, bodies: list[Body], *, algorithm: str = "p256"
    ) -> load.Report:
        """One connection with mutual TLS for each of ``bodies``, some at a time."""
        client, key = (
            self.installation.rsa_client
            if algorithm == "rsa2048"
            else self.installation.test_client
        )
        target = load.Target(
            host="127.0.0.1",
            port=self.installation.port,
            path=f"/.well-known/est/{operation}",
            server_ca=self.installation.server_ca,
            client=client,
            client_key=key,
            tls=None,
            timeout=30,
        )
        return load.run(
            target,
            [None if body is None else body.encode() for body in bodies],
            concurrency=CONCURRENCY,
            seconds=SECONDS,
            server_pids=self.pids,
        )


@contextmanager
def new_installation(
    database_url: str = "", *, signer: str = "keyfile", aws: Mapping[str, str] | None = None
) -> Iterator[MeasuredInstallation]:
    """An installation in a directory that is gone afterwards, its device CA's key at ``signer``."""
    with tempfile.TemporaryDirectory(prefix="est-bench-") as directory:
        configuration = Path(directory) / "bench.yaml"
        laptop = (ROOT / "config" / "config-local.yaml").read_text()
        configuration.write_text(
            laptop.replace("Properties:\n", f'Properties:\n  deviceCaSigner: "{signer}"\n', 1)
        )
        installation = installation_in(
            Path(directory), database_url, configuration=configuration, aws=aws
        )
        installation.make()
        yield installation


def installation_in(
    directory: Path,
    database_url: str = "",
    *,
    configuration: Path = MeasuredInstallation.configuration,
    aws: Mapping[str, str] | None = None,
) -> MeasuredInstallation:
    """Return the installation of ``directory``, on ports that are free; it may have to be made."""
    any_ports = Installation.at(directory)
    return MeasuredInstallation(
        any_ports.data_dir,
        any_ports.port,
        any_ports.admin_port,
        database_url,
        configuration,
        aws or {},
    )
