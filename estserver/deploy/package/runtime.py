"""The Lambda runtimes: what they can load, and which Python on this machine compiles for them."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pki.operators.errors import OperatorError

Version = tuple[int, ...]

_OLDEST_GLIBC_MINOR = 17  # manylinux2014's


@dataclass(frozen=True)
class Runtime:
    """One runtime and architecture, by Lambda's names such as ``python3.13`` and ``arm64``."""

    name: str
    architecture: str

    @property
    def python(self) -> Version:
        """The version of its Python, such as ``(3, 13)``."""
        return tuple(map(int, self.name.removeprefix("python").split(".")))

    @property
    def glibc(self) -> Version:
        """The version of its C library: the newest symbols that an extension module may need.

        https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html: Amazon Linux 2 up to
        Python 3.11, then Amazon Linux 2023.
        """
        return (2, 26) if self.python <= (3, 11) else (2, 34)

    @property
    def machine(self) -> str:
        """The kernel's and pip's word for the processor, where Lambda says ``arm64``."""
        return {"x86_64": "x86_64", "arm64": "aarch64"}[self.architecture]

    @property
    def platforms(self) -> tuple[str, ...]:
        """The platforms whose wheels it can load, by pip's names, the preferred one first.

        AWS advises manylinux2014, which runs on all runtimes. Each platform that the C library
        allows follows, because pip takes none of them to include another and some wheels name
        only one of them. So pip chooses no wheel that needs a newer C library.
        """
        major, newest = self.glibc
        minors = range(_OLDEST_GLIBC_MINOR, newest + 1)
        return (
            f"manylinux2014_{self.machine}",
            *(f"manylinux_{major}_{minor}_{self.machine}" for minor in minors),
        )

    @property
    def runs_here(self) -> bool:
        """Whether this machine can load what the runtime loads."""
        here = {"aarch64": "arm64"}.get(platform.machine(), platform.machine())
        return sys.platform == "linux" and here == self.architecture


def find_python(runtime: Runtime) -> Path:
    """Return an interpreter of the runtime's version on this machine.

    Lambda ignores byte code of another version, and would compile every module at every cold
    start. Raises OperatorError when no such interpreter is found.
    """
    for candidate in _candidates(runtime.python):
        if _version_of(candidate) == runtime.python:
            return candidate
    wanted = ".".join(map(str, runtime.python))
    raise OperatorError(
        f"Packages for {runtime.name} are compiled by Python {wanted}, which is not installed "
        "here. Install it (uv python install, pyenv install, or your system's package), or set "
        "Properties.lambdaRuntime to a version that is."
    )


def version_text(python: Path) -> str:
    """Return all that an interpreter says of its version and build.

    Raises OperatorError when it does not run.
    """
    said = _output_of(python, "import sys; print(sys.version, sys.implementation.cache_tag)")
    if said is None:
        raise OperatorError(f"{python} does not run. Install it again.")
    return said


def _candidates(version: Version) -> Iterator[Path]:
    yield Path(sys.executable)
    name = f"python{version[0]}.{version[1]}"
    for directory in os.get_exec_path():
        if found := shutil.which(name, path=directory):
            yield Path(found)
    # pyenv's and uv's programs on the PATH run only the versions that are switched on.
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(home.glob(f"versions/{version[0]}.{version[1]}.*/bin/{name}"))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python")
    yield from sorted(uv.glob(f"cpython-{version[0]}.{version[1]}.*/bin/{name}"))


def _version_of(python: Path) -> Version | None:
    """Return an interpreter's version; ``None`` when it does not run."""
    said = _output_of(python, "import sys; print(*sys.version_info[:2])")
    return None if said is None else tuple(map(int, said.split()))


def _output_of(python: Path, program: str) -> str | None:
    """Return what an interpreter prints; ``None`` when it fails, as pyenv's shims may."""
    try:
        done = subprocess.run(  # noqa: S603 - an interpreter that was looked for
            [python, "-I", "-S", "-c", program], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
