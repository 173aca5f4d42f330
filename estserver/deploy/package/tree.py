"""Lay out the contents of a package in a directory, as Lambda finds them in /var/task.

Every library comes from the locks and none from the environment that runs this. So no test tool
and no leftover is packaged, and wheels are those of the runtime, not of this machine.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from estserver.config import PROJECT_ROOT, Config
from estserver.config.packaged import FILE as PACKAGED_CONFIG
from estserver.config.packaged import as_json
from estserver.deploy.package.byte_code import compile_tree
from estserver.deploy.package.config import PackagedConfig, package_config
from estserver.deploy.package.left_out import leave_out
from estserver.deploy.package.libraries import add_libraries
from estserver.deploy.package.process import run
from estserver.deploy.package.runtime import Runtime, find_python
from estserver.deploy.package.start import check_that_it_starts, lambda_environment

_NOT_PACKAGED = frozenset({"bench", "demo", "docs", "tests", "var"})
"""Directories of the project that no function needs."""

_LEFT_OUT_OF_STAGE: Mapping[str, tuple[str, ...]] = {
    # What only people use. A device cannot reach what is not there, whatever flaw it finds.
    "est": (
        "django/contrib",
        "estserver/admin.py",
        "estserver/api",
        "estserver/console",
        "estserver/deploy",
        "estserver/functions/admin.py",
        "estserver/settings/admin.py",
        "estserver/static",
        "estserver/templatetags",
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


def lay_out(stage: str, config: Config, directory: Path) -> PackagedConfig:
    """Fill ``directory`` with the package of ``stage``, and return its configuration.

    Raises OperatorError or ConfigError for what the operator can mend.
    """
    runtime = Runtime(config.properties.lambda_runtime, config.properties.lambda_architecture)
    python = find_python(runtime)
    packaged = package_config(config)
    # Step 1: the project, and the files that the configuration names.
    _copy_project(directory)
    for place, source in packaged.files.items():
        (directory / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, directory / place)
    (directory / PACKAGED_CONFIG).write_text(as_json(packaged.config))
    if stage == "admin":
        _collect_static(directory)
    # Step 2: its byte code, then the libraries, which are compiled already. So the project comes
    # first: a library of the same name adds files to it, and replaces none.
    compile_tree(python, directory)
    add_libraries(stage, runtime, python, directory)
    # Step 3: nothing that the stage does not use, and a first start.
    leave_out(_LEFT_OUT_OF_STAGE[stage], directory)
    if runtime.runs_here:
        check_that_it_starts(stage, python, packaged.config, directory)
    return packaged


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
