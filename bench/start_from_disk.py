"""What a start takes whose package has yet to come from the disk: wall time and CPU.

    python -m bench.start_from_disk [--rounds N] [PACKAGE.zip ...]

Runs as root, because the system's cache of files is dropped before each cold start; warm ones are
measured beside. Packages are the device side's, made for est.example.com, and start alternately:
two ways to pack are compared so. Without any, one is made. A start is a whole process, with
Python's own start in it, that imports the function and answers one request. A first round is left
out.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bench.cold_start import ON_POSTGRESQL, TARGETS, Starter
from bench.installation import new_installation
from bench.table import machine
from estserver.deploy.package.build import Package
from estserver.deploy.package.runtime import find_python
from tests.estserver.deploy.packages import OWN, UnpackedPackage, unpacked_package
from tests.support.postgresql import private_server

DROP_CACHES = Path("/proc/sys/vm/drop_caches")
PAGES_AND_NAMES = "3"


@dataclass(frozen=True)
class TimedPackage(UnpackedPackage):
    """A package that notes the milliseconds of each process, wall time and CPU."""

    cold: bool
    noted: list[tuple[float, float]] = field(default_factory=list)

    def run(self, program, *arguments, environ):
        """Run a program in a process that sees nothing but the package; returns what it prints."""
        if self.cold:
            os.sync()
            DROP_CACHES.write_text(PAGES_AND_NAMES)
        cpu, started = _cpu_of_children(), time.perf_counter()
        printed = super().run(program, *arguments, environ=environ)
        wall = time.perf_counter() - started
        self.noted.append((wall * 1000, (_cpu_of_children() - cpu) * 1000))
        return printed


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(rounds: int, zips: Sequence[Path]) -> dict[tuple[str, str], list[tuple[float, float]]]:
    """Wall time and CPU of ``rounds`` starts, by kind of start and package."""
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="est-disk-")))
        print("making the packages and the installations", file=sys.stderr, flush=True)
        packages = _unpacked(zips, directory)
        installations = {"": stack.enter_context(new_installation())}
        with suppress(pytest.skip.Exception, pytest.fail.Exception):  # it isn't installed
            url = stack.enter_context(private_server()).url()
            installations[ON_POSTGRESQL] = stack.enter_context(new_installation(url))
        for number in range(rounds + 1):
            order = list(packages)[:: -1 if number % 2 else 1]
            for cold in (True, False):
                for on, installation in installations.items():
                    for operation in TARGETS:
                        what = f"{'cold' if cold else 'warm'}, {operation}{on}"
                        for name in order:
                            package = TimedPackage(**vars(packages[name]), cold=cold)
                            starter = Starter(package, directory)
                            starter.product(installation, operation, number)
                            measured = found.setdefault((what, name), [])
                            if number:
                                measured += package.noted
    return found


def _unpacked(zips: Sequence[Path], directory: Path) -> dict[str, UnpackedPackage]:
    if not zips:
        return {"this": unpacked_package("est", directory)}
    packages = {}
    for path in zips:
        root = directory / path.stem
        with zipfile.ZipFile(path) as archive:
            archive.extractall(root)
        packages[path.stem] = UnpackedPackage(Package(path, []), root, find_python(OWN))
    return packages


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f} - {max(values):.0f})"


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("packages", type=Path, nargs="*", metavar="PACKAGE.zip")
    options = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("only root may drop the system's cache of files")
    found = measure(options.rounds, options.packages)
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    print("a whole start, ms, median (least - most)")
    print(f"{'':34} {'package':16} {'wall':>20} {'CPU':>20}")
    for (what, name), values in sorted(found.items(), key=lambda each: each[0][0]):
        wall, cpu = zip(*values, strict=True)
        print(f"{what:34} {name:16} {_spread(wall):>20} {_spread(cpu):>20}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
