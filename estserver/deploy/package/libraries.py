"""The libraries of a package, installed and compiled once for each lock and runtime.

They are most of a package and rarely change. So they are kept in the user's cache directory, in
the form in which they travel, and the next package of the same lock takes them from there. They are
trusted like the virtual environment that runs this: pip has compared every file's hash with the
lock, and only the user's own account can write there.
"""

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from estserver.config import PROJECT_ROOT
from estserver.deploy.package.byte_code import compile_tree
from estserver.deploy.package.left_out import leave_out
from estserver.deploy.package.process import run
from estserver.deploy.package.runtime import Runtime, version_text

_LOCKS = {
    "est": ("est.txt",),
    # Zappa's requirements are those of its command line; what its handler needs is in admin.in.
    "admin": ("admin.txt", "zappa.txt"),
}
"""The files in requirements/ that `make lock` compiles for a stage."""

_LEFT_OUT = (
    "bin",
    "**/tests",
    "**/*.pyi",
    "**/*.po",
    "**/*.mo",  # USE_I18N is off
    "**/*.c",
    "**/*.h",
)
_KEPT = 8
"""How many sets of libraries stay in the cache: two stages, and the locks and runtimes of before.
A set has some 100 MB."""


def stage_locks(stage: str) -> list[Path]:
    """Return the files that lock what travels with ``stage``, with hashes."""
    return [PROJECT_ROOT / "requirements" / name for name in _LOCKS[stage]]


def add_libraries(stage: str, runtime: Runtime, python: Path, directory: Path) -> None:
    """Put the libraries of ``stage`` into ``directory``, compiled by ``python``.

    Raises OperatorError when a library cannot be installed for the runtime.
    """
    requirements = "".join(lock.read_text() for lock in stage_locks(stage))
    cache = _cache_directory()
    # Whatever decides what the files are is in the key, so that no set is ever stale.
    key = "\n".join((requirements, *_LEFT_OUT, repr(runtime), version_text(python)))
    kept = cache / hashlib.sha256(key.encode()).hexdigest()
    if not kept.is_dir():
        with tempfile.TemporaryDirectory(dir=cache, prefix="new-") as name:
            made = Path(name) / "libraries"
            made.mkdir()
            _install(requirements, runtime, python, made)
            try:
                made.rename(kept)
            except OSError:  # another run has made the same set meanwhile
                if not kept.is_dir():
                    raise
    os.utime(kept)
    shutil.copytree(kept, directory, dirs_exist_ok=True, copy_function=_link)
    _forget_old_sets(cache)


def _cache_directory() -> Path:
    """Return the directory of all sets: below $XDG_CACHE_HOME or ~/.cache, for this user alone.

    https://specifications.freedesktop.org/basedir-spec/latest/
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    directory = base / "est-server" / "libraries"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def _install(requirements: str, runtime: Runtime, python: Path, directory: Path) -> None:
    lock = directory / "requirements.txt"
    lock.write_text(requirements)
    # Run by the runtime's Python, because pip judges markers by the Python that it runs in.
    pip = [sys.executable, "-m", "pip", f"--python={python}", "install"]
    run(
        [
            *pip,
            *("--quiet", "--disable-pip-version-check", "--no-input", "--no-compile"),
            *("--require-hashes", "--no-deps", "--only-binary=:all:"),
            *(f"--platform={platform}" for platform in runtime.platforms),
            "--implementation=cp",
            f"--python-version={'.'.join(map(str, runtime.python))}",
            *(f"--target={directory}", f"--requirement={lock}"),
        ],
        f"The libraries cannot be installed for {runtime.name} on {runtime.architecture} (GLIBC "
        f"{'.'.join(map(str, runtime.glibc))}). Where no wheel fits, choose another "
        "Properties.lambdaRuntime or lambdaArchitecture",
    )
    leave_out(_LEFT_OUT, directory)
    compile_tree(python, directory)


def _link(source: str, target: str) -> str:
    """Link a file where that is possible, as nothing that makes packages writes into one.

    What is there already stays: a file of the project's.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        return target
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)
    return target


def _forget_old_sets(cache: Path) -> None:
    sets = [path for path in cache.iterdir() if not path.name.startswith("new-")]
    for path in sorted(sets, key=lambda each: each.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(path, ignore_errors=True)
