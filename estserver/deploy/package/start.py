"""Try a package's start before it is uploaded."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from estserver.config import Config
from estserver.deploy.package.process import run

_FIRST_REQUESTS: Mapping[str, tuple[str, ...]] = {
    "est": (
        "estserver.est.enrollment_views.SimpleEnrollView",
        "estserver.est.crl_view.crl",
        "iotprov.provisioning.observer.OutboxWriter",
        "cryptography.hazmat.backends.openssl.backend",
    ),
    "admin": (),
}
"""What the first request loads, and the start itself does not."""


def lambda_environment(stage: str, directory: Path) -> dict[str, str]:
    """Return the environment of a function on Lambda, with a database and a key for no use."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "AWS_LAMBDA_FUNCTION_NAME": "package",
        "LAMBDA_TASK_ROOT": str(directory),
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/nothing",
        "DJANGO_SETTINGS_MODULE": f"estserver.settings.{stage}",
        "EST_SECRET_KEY": secrets.token_urlsafe(64),
    }


def check_that_it_starts(stage: str, python: Path, config: Config, directory: Path) -> None:
    """Import what Lambda will import, and the classes that the configuration names.

    Raises OperatorError with the traceback when an import fails.
    """
    run(
        [str(python), "-I", "-S", "-B", "-c", _start(stage, directory, *_classes(config))],
        "The package does not start. What is missing has to be in requirements/functions.in and in "
        "the locks (make lock), or in a package of its own beside estserver/",
        environ=lambda_environment(stage, directory),
        cwd=directory,
    )


def _classes(config: Config) -> list[str]:
    properties = config.properties
    signers = [signer.backend for signer in properties.signers.values()]
    yours = [properties.external_signer_class, properties.enrollment_hook_class]
    return [*signers, *filter(None, yours)]


def _start(stage: str, directory: Path, *classes: str) -> str:
    return (
        f"import sys; sys.path.insert(0, {str(directory)!r})\n"
        f"import estserver.lambda_{stage}\n"
        "from django.urls import get_resolver\n"
        "from django.utils.module_loading import import_string\n"
        "get_resolver().url_patterns\n"
        f"for path in {[*_FIRST_REQUESTS[stage], *classes]!r}: import_string(path)\n"
    )
