"""Write the zip that is uploaded, and check it as Lambda will find it."""

import re
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from estserver.config import Config
from estserver.deploy.package.runtime import Runtime
from pki.operators.errors import OperatorError

LIMIT = 120 * 1000 * 1000
"""Bytes unzipped. Lambda takes 250 MB with all layers; a smaller package loads faster."""

_UNCHECKED_HASH = 0b01
"""The flags of byte code that Python takes without a look at the source (PEP 552)."""

_EXTENSION = re.compile(r"\.cpython-(?P<tag>\d+)-(?P<machine>\w+)-linux-gnu\.so$", re.ASCII)
"""How an extension module of one Python version is named; those of the stable ABI name none."""

_DATE = (1980, 1, 1, 0, 0, 0)  # the same package gives the same zip
_ZAPPAS_RECORD = "package_info.json"
"""Where and when Zappa made the package. Only its slim handler reads it."""
_NO_FUNCTION_NEEDS = frozenset(
    {"pip", "setuptools", "wheel", "pytest", "moto", "mypy", "ruff", "hypothesis", "coverage"}
    | {"troposphere", "tests", "bench"}
)
"""Tests, tools, and what only Zappa's command line uses.

The locks in requirements/ decide what is packaged. This is a net below them.
"""


@dataclass(frozen=True)
class Part:
    """A top-level directory or file of a package, with its size unzipped in bytes."""

    name: str
    size: int


def begin_anew(zip_path: Path) -> None:
    """Leave of a zip that Zappa has begun what a function needs, without times.

    So the same code gives the same zip, and a deployment can tell that nothing has changed.
    """
    with zipfile.ZipFile(zip_path) as begun:
        kept = {
            name: begun.read(name) for name in sorted(begun.namelist()) if name != _ZAPPAS_RECORD
        }
    with zipfile.ZipFile(zip_path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in kept.items():
            archive.writestr(_entry(name), content, zipfile.ZIP_DEFLATED)


def add_tree(zip_path: Path, tree: Path) -> None:
    """Add all of ``tree`` to the zip, in order and without times."""
    with zipfile.ZipFile(zip_path, "a", zipfile.ZIP_DEFLATED) as archive:
        present = set(archive.namelist())
        for path in sorted(tree.rglob("*")):
            name = str(path.relative_to(tree))
            if not path.is_file() or name in present:
                continue
            archive.writestr(_entry(name), path.read_bytes(), zipfile.ZIP_DEFLATED)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _DATE)
    entry.external_attr = 0o755 << 16 if name.endswith(".so") else 0o644 << 16
    return entry


def check_package(zip_path: Path, config: Config) -> None:
    """Refuse what Lambda could not load, or would have to compile at every cold start.

    Raises OperatorError with every problem, a line each.
    """
    runtime = Runtime(config.properties.lambda_runtime, config.properties.lambda_architecture)
    with zipfile.ZipFile(zip_path) as archive:
        problems = [
            *_strangers(archive),
            *_unloadable(archive, runtime),
            *_stale(archive, runtime),
        ]
    total = sum(part.size for part in parts(zip_path))
    if total > LIMIT:
        problems.append(
            f"The package has {total / 1e6:.0f} MB unzipped, and may have {LIMIT / 1e6:.0f}. "
            "Look at its largest parts (aws_package)."
        )
    if problems:
        raise OperatorError("\n".join(problems))


def parts(zip_path: Path) -> Sequence[Part]:
    """Return the top-level parts of a package, the largest first."""
    sizes: Counter[str] = Counter()
    with zipfile.ZipFile(zip_path) as archive:
        for entry in archive.infolist():
            sizes[entry.filename.partition("/")[0]] += entry.file_size
    return [Part(name, size) for name, size in sizes.most_common()]


def _strangers(archive: zipfile.ZipFile) -> Iterator[str]:
    top_level = {name.partition("/")[0] for name in archive.namelist()}
    for name in sorted(top_level & _NO_FUNCTION_NEEDS):
        yield f"{name} is in the package and has no use there."


def _unloadable(archive: zipfile.ZipFile, runtime: Runtime) -> Iterator[str]:
    """Extension modules that are named for another Python or processor (PEP 3149).

    pip chooses wheels by the C library that they need (``Runtime.platforms``), so no extension
    module is opened here. An operator's own one, beside estserver/, is known by its name alone.
    """
    tag, machine = "".join(map(str, runtime.python)), runtime.machine
    for name in archive.namelist():
        named = _EXTENSION.search(name)
        if named and (named["tag"], named["machine"]) != (tag, machine):
            yield f"{name} cannot be loaded by {runtime.name} on {runtime.architecture}."


def _stale(archive: zipfile.ZipFile, runtime: Runtime) -> Iterator[str]:
    """Byte code that Lambda would compare with its source, and modules without byte code."""
    names = set(archive.namelist())
    tag = "cpython-" + "".join(map(str, runtime.python))
    for name in sorted(names):
        if name.endswith(".pyc"):
            (flags,) = struct.unpack_from("<4xI", archive.read(name))
            if flags != _UNCHECKED_HASH:
                yield f"{name} would be found stale."
    for name in sorted(names):
        directory, _, file_name = name.rpartition("/")
        if not directory or not file_name.endswith(".py"):
            continue  # at the top Zappa leaves its handler and settings: small, and source
        compiled = f"{directory}/__pycache__/{file_name.removesuffix('.py')}.{tag}.pyc"
        if compiled not in names:
            yield f"{name} is not compiled."
