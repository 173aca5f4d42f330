"""Lay out the contents of a package in a directory, as Lambda finds them in /var/task.

Every library comes from the locks and none from the environment that runs this. So no test tool
and no leftover is packaged, and wheels are those of the runtime, not of this machine.
"""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from estserver.config import PROJECT_ROOT, Config
from estserver.config.packaged import FILE as PACKAGED_CONFIG
from estserver.config.packaged import as_json
from estserver.deploy.package.config import PackagedConfig, package_config
from estserver.deploy.package.process import run
from estserver.deploy.package.runtime import Runtime, find_python
from estserver.deploy.package.start import check_that_it_starts, lambda_environment

_LOCKS: Mapping[str, tuple[str, ...]] = {
    "est": ("est.txt",),
    # Zappa's requirements are those of its command line; what its handler needs is in admin.in.
    "admin": ("admin.txt", "zappa.txt"),
}
"""The files in requirements/ that `make lock` compiles for a stage."""

LAMBDA_ROOT = "/var/task"
"""Where Lambda unpacks a package; what tracebacks name."""

_NOT_PACKAGED = frozenset({"bench", "demo", "docs", "tests", "var"})
"""Directories of the project that no function needs."""

_LEFT_OUT_OF_STAGE: Mapping[str, tuple[str, ...]] = {
    # What only people use. A device cannot reach what is not there, whatever flaw it finds.
    "est": (
        "django/contrib",
        "estserver/admin.py",
        "estserver/console",
        "estserver/deploy",
        "estserver/functions/admin.py",
        "estserver/settings/admin.py",
        "estserver/static",
        "estserver/urls/admin.py",
        "estserver/wsgi_admin.py",
        "iotprov/admin*",
        "*/management",
        "pki/admin",
        "rest_framework/static",
        "rest_framework/templates",
        "templates",
    ),
    # Collected, hashed and compressed in staticfiles/.
    "admin": ("estserver/static", "django/contrib/*/static", "django/contrib/gis"),
}
_LEFT_OUT_OF_LIBRARIES = (
    "bin",
    "**/tests",
    "**/*.pyi",
    "**/*.po",
    "**/*.mo",  # USE_I18N is off
    "**/*.c",
    "**/*.h",
)


def lay_out(stage: str, config: Config, directory: Path) -> PackagedConfig:
    """Fill ``directory`` with the package of ``stage``, and return its configuration.

    Raises OperatorError or ConfigError for what the operator can mend.
    """
    runtime = Runtime(config.properties.lambda_runtime, config.properties.lambda_architecture)
    python = find_python(runtime)
    packaged = package_config(config)
    # Step 1: libraries of the runtime, the project, and the files that the configuration names.
    _install(stage, runtime, python, directory)
    _copy_project(directory)
    for place, source in packaged.files.items():
        (directory / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, directory / place)
    (directory / PACKAGED_CONFIG).write_text(as_json(packaged.config))
    # Step 2: what the stage needs besides, and nothing that it does not use.
    if stage == "admin":
        _collect_static(directory)
    _leave_out(_LEFT_OUT_OF_STAGE[stage], directory)
    # Step 3: byte code, and a first start.
    _compile(python, directory)
    if runtime.runs_here:
        check_that_it_starts(stage, python, packaged.config, directory)
    return packaged


def stage_locks(stage: str) -> list[Path]:
    """Return the files that lock what travels with ``stage``, with hashes."""
    return [PROJECT_ROOT / "requirements" / name for name in _LOCKS[stage]]


def _install(stage: str, runtime: Runtime, python: Path, directory: Path) -> None:
    requirements = directory / "requirements.txt"
    requirements.write_text("".join(lock.read_text() for lock in stage_locks(stage)))
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
            *(f"--target={directory}", f"--requirement={requirements}"),
        ],
        f"The libraries cannot be installed for {runtime.name} on {runtime.architecture} (GLIBC "
        f"{'.'.join(map(str, runtime.glibc))}). Where no wheel fits, choose another "
        "Properties.lambdaRuntime or lambdaArchitecture",
    )
    _leave_out(_LEFT_OUT_OF_LIBRARIES, directory)


def _copy_project(directory: Path) -> None:
    """Copy the project's packages, and those that an operator put beside them for a hook."""
    shutil.copytree(PROJECT_ROOT / "templates", directory / "templates")
    for source in _own_packages():
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__", PACKAGED_CONFIG.name)
            shutil.copytree(source, directory / source.name, ignore=ignored)
        else:
            shutil.copyfile(source, directory / source.name)


def _own_packages() -> Iterator[Path]:
    for init in sorted(PROJECT_ROOT.glob("[!.]*/__init__.py")):
        if init.parent.name not in _NOT_PACKAGED:
            yield init.parent
    for module in sorted(PROJECT_ROOT.glob("*.py")):
        if module.name != "manage.py":
            yield module


def _leave_out(patterns: tuple[str, ...], directory: Path) -> None:
    for pattern in patterns:
        for path in list(directory.glob(pattern)):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _collect_static(directory: Path) -> None:
    """Collect the admin's files under hashed names, each compressed (WhiteNoise's manifest).

    The Python that runs this does it with its own libraries of the same lock, because those of
    the package may be for another processor.
    """
    program = (
        f"import sys; sys.path.append({str(directory)!r})\n"
        "from django.core.management import execute_from_command_line\n"
        "execute_from_command_line(['manage.py', 'collectstatic', '--no-input', '-v0'])\n"
    )
    run(
        [sys.executable, "-P", "-B", "-c", program],
        "The admin's static files cannot be collected",
        environ=lambda_environment("admin", directory),
        cwd=directory,
    )


def _compile(python: Path, directory: Path) -> None:
    """Compile everything to byte code that Python takes without a look at the source (PEP 552).

    By default byte code holds the time of its source, which a zip does not keep. Lambda would find
    all of it stale, and could not write any, because its directory is read-only.
    """
    run(
        [
            *(str(python), "-I", "-S", "-m", "compileall", "-q", "-f", f"-j{os.cpu_count() or 1}"),
            *("--invalidation-mode", "unchecked-hash"),
            *("-s", str(directory), "-p", LAMBDA_ROOT, str(directory)),
        ],
        "The package's Python cannot be compiled",
    )
