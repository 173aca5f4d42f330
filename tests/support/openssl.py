"""The openssl program, as a second opinion on certificates."""

import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding


def openssl(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run openssl; return the finished process, with its output as text."""
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def write_pem(path: Path, *certificates) -> Path:
    """Write certificates (or a CRL) to a PEM file, in this order; return its path."""
    path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
    return path


def verifies(directory: Path, leaf, *, anchor, untrusted=()) -> bool:
    """Return whether ``openssl verify`` finds a path from ``leaf`` to ``anchor``."""
    result = openssl(
        "verify",
        "-no-CApath",
        "-CAfile",
        write_pem(directory / "anchor.pem", anchor),
        "-untrusted",
        write_pem(directory / "untrusted.pem", *untrusted, leaf),
        write_pem(directory / "leaf.pem", leaf),
    )
    return result.returncode == 0
