"""Packages for tests, unpacked as Lambda does: for the Python that runs the tests, or another."""

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from estserver.deploy.package.build import Package, make_package
from estserver.deploy.package.runtime import Runtime, find_python

ROOT = Path(__file__).parents[3]
RUNTIME = f"python3.{sys.version_info.minor}"
DOMAIN = "est.example.com"
PASSWORD = "open-sesame-1701"

OWN = Runtime(RUNTIME, "x86_64")


@dataclass(frozen=True)
class UnpackedPackage:
    """A package, and the directory that Lambda would see it in."""

    package: Package
    root: Path
    python: Path
    """An interpreter of its runtime's version."""

    def run(self, program, *arguments, environ):
        """Run a program in a process that sees nothing but the package; returns what it prints."""
        done = subprocess.run(
            # -B: Lambda's directory is read-only, so no byte code is written there either.
            [self.python, "-I", "-S", "-B", program, *map(str, arguments)],
            cwd=self.root,
            env={"PATH": os.environ["PATH"], **environ},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def unpacked_package(stage, directory, runtime=OWN):
    """Make the package of ``stage`` through Zappa, and unpack it; all in ``directory``."""
    config = directory / "config.yaml"
    config.write_text(config_of(runtime))
    package = make_package(
        stage,
        directory / f"{stage}.zip",
        environ=packaging_environ(config),
    )
    root = directory / stage
    with zipfile.ZipFile(package.path) as archive:
        archive.extractall(root)
    return UnpackedPackage(package, root, find_python(runtime))


def config_of(runtime):
    """A configuration that can be packaged for ``runtime``, with a password that mustn't travel."""
    return f"""\
Properties:
  apiCustomDomainName: "{DOMAIN}"
  lambdaRuntime: "{runtime.name}"
  lambdaArchitecture: "{runtime.architecture}"
  iotProvisioning: "none"
  databaseUrl: "postgresql://est:{PASSWORD}@db.example.com/est"
"""


def packaging_environ(config):
    """An environment in which only ``config`` says what is packaged, and AWS is nowhere."""
    elsewhere = ("EST_", "DATABASE_", "AWS_", "DJANGO_")
    kept = {n: v for n, v in os.environ.items() if not n.startswith(elsewhere)}
    return kept | {
        "EST_CONFIG": str(config),
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    }
