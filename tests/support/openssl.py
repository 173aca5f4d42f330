"""The openssl program, as a second opinion on what we sign."""

import subprocess
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding


def openssl(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run openssl; what it said is in ``stdout`` and ``stderr``."""
    command = ["openssl", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def write_pem(path: Path, *certificates) -> Path:
    """Write certificates (or a CRL) into a PEM file, in this order."""
    path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
    return path


def verifies(directory: Path, leaf, *, anchor, untrusted=()) -> bool:
    """Whether ``openssl verify`` finds a path from ``leaf`` to the one trust anchor."""
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
