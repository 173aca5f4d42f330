"""Where devices reach this installation, for commands that people copy."""

import os
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings

from pki.encoding.certificates import is_signed_by
from pki.encoding.reading import UNREADABLE, read_certificates

DEVICE_PORT = "EST_DEVICE_PORT"
"""This environment variable tells the admin the port at which `runest` serves devices."""

_STANDARD_PORT = 443


@dataclass(frozen=True, slots=True)
class ESTAddress:
    """The host and port of the device side, and the file that verifies its certificate."""

    host: str
    port: int
    anchor: Path | None
    """The CA of the server's own certificate; ``None`` if a public CA signed it."""

    @property
    def origin(self) -> str:
        """The beginning of every address: ``https://host:port``."""
        port = "" if self.port == _STANDARD_PORT else f":{self.port}"
        return f"https://{self.host}{port}"

    def url(self, label: str = "") -> str:
        """Return the address of the operations (RFC 7030 3.2.2), without a slash at its end."""
        return f"{self.origin}/.well-known/est{f'/{label}' if label else ''}"


def est_address(*, port: int | None = None) -> ESTAddress:
    """Return where devices reach this installation, or this machine at ``port`` if it is given.

    That is the configured address of a server of one's own (``estAddress``), or the domain of the
    deployment, or else this machine.
    """
    if port is None and settings.EST_ADDRESS:
        host, _, its_port = settings.EST_ADDRESS.partition(":")
        return ESTAddress(host, int(its_port or _STANDARD_PORT), _own_anchor())
    domains = sorted(settings.EST_DOMAIN_NAMES - {settings.EST_BOOTSTRAP_DOMAIN_NAME})
    anchor = settings.EST_DATA_DIR / "server-ca.pem"
    if domains and port is None and not anchor.exists():
        return ESTAddress(domains[0], _STANDARD_PORT, None)
    local = port or int(os.environ.get(DEVICE_PORT, "8443"))
    return ESTAddress("localhost", local, anchor)


def _own_anchor() -> Path | None:
    """Return the CA that the server made for itself; ``None`` if another one signed what it serves.

    Then clients verify it with the CAs of their machine. A container of the admin alone has
    neither of the files.
    """
    anchor, served = (settings.EST_DATA_DIR / name for name in ("server-ca.pem", "server.pem"))
    try:
        (ca, *_), (leaf, *_) = map(read_certificates, (anchor.read_bytes(), served.read_bytes()))
        return anchor if is_signed_by(leaf, ca) else None
    except (OSError, *UNREADABLE):
        return None
