"""The installation that proofs run against: as `make run` makes it, for many names."""

from dataclasses import dataclass
from pathlib import Path

from tests.interop.server import ROOT, Installation, RunningServer

BALANCER = "127.0.0.9"
"""An address that may send PROXY headers."""
MOST_NAMES = 1_000_000
"""New names that the one client may enroll in an hour."""


@dataclass(frozen=True)
class ProofInstallation(Installation):
    """An installation with a configuration and a database of its own."""

    database_url: str = ""

    @property
    def configuration(self) -> Path:
        """The laptop's configuration, and a balancer."""
        return self.data_dir / "proof.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """What leads the server here."""
        own = {"EST_CONFIG": str(self.configuration), "DATABASE_URL": self.database_url}
        return super().environment | own

    def make(self) -> "ProofInstallation":
        """Make database, CAs and client; return the same installation."""
        laptop = (ROOT / "config" / "config-local.yaml").read_text()
        line = f'Properties:\n  trustedBalancers: ["{BALANCER}/32"]\n'
        self.configuration.write_text(laptop.replace("Properties:\n", line, 1))
        self.manage_in_turn(
            self.quickstart_command,
            ("profile_set", "default", f"new_names_per_hour={MOST_NAMES}", "--reason=proof"),
        )
        return self


def installation_at(data_dir: Path, database_url: str = "") -> ProofInstallation:
    """Return an installation that is made, on ports that are free."""
    ports = Installation.at(data_dir)
    return ProofInstallation(data_dir, ports.port, ports.admin_port, database_url).make()


@dataclass(frozen=True)
class Served:
    """An installation, and the server that runs on it."""

    installation: ProofInstallation
    running: RunningServer

    @property
    def port(self) -> int:
        """The port for devices."""
        return self.installation.port

    def workers(self) -> list[int]:
        """The processes that serve devices."""
        return self.running.est_processes()[1]

    def log(self) -> str:
        """What the server has written."""
        return self.running.log.read_text()
