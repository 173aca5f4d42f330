"""What Zappa calls before it begins and when it has deployed, so that nobody has to remember us.

Its hook points are ``settings`` (the settings were read; for every command), ``zip`` (the package
was made, before its upload; that one is the package's own affair) and ``post`` (the end of
``deploy`` and ``update``).

Zappa loads this file by its path, under the name ``zappa_callbacks``, in a process that knows
neither the project nor Django. It prints a ``ClickException`` as one sentence and ends with 1.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT_ROOT = str(Path(__file__).resolve().parents[2])
if PROJECT_ROOT not in sys.path:
    sys.path.insert(0, PROJECT_ROOT)

DEPLOYING = ("deploy", "update")
WITHOUT_AWS = ("package", "template", "save-python-settings-file")


def before_anything(cli: Any) -> None:
    """Hand the configuration's values to Zappa; before a deployment, make what it needs."""
    with _in_our_words():
        from django.conf import settings as django_settings

        from estserver.deploy import deploy
        from estserver.deploy.deployment import current_deployment
        from estserver.deploy.zappa import settings as zappa_settings
        from pki.operators.errors import RemoteFailure

        if cli.command in DEPLOYING:
            deploy.prepare(say=_say)
        committed = zappa_settings.read_settings()
        try:
            settings = zappa_settings.rendered(committed, current_deployment())
        except RemoteFailure as error:
            if cli.command not in WITHOUT_AWS:
                raise
            _say(f"without an AWS account, roles and buckets aren't named ({error.code})")
            settings = zappa_settings.rendered_without_account(committed, django_settings.CONFIG)
        path = django_settings.CONFIG.data_dir / "zappa_settings.json"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(zappa_settings.as_text(settings), encoding="utf-8")
        cli.load_settings(str(path))


def after_deployment(cli: Any) -> None:
    """Domain, lockdown, logs and the rest of the stage that was deployed."""
    with _in_our_words(f"{cli.api_stage} is deployed, and not finished. "):
        from estserver.deploy import deploy

        deploy.finish(deploy.stage_named(cli.api_stage), say=_say)


@contextmanager
def _in_our_words(beginning: str = "") -> Iterator[None]:
    """Django set up, and refusals as one sentence, where Zappa would print a traceback."""
    from click import ClickException

    os.environ["DJANGO_SETTINGS_MODULE"] = "estserver.settings.admin"
    from estserver.config import ConfigError

    try:
        import django
        from django.conf import settings

        settings.LOGGING_CONFIG = None  # Zappa's own logging is set up, and stays
        django.setup()
        from pki.exceptions import PKIError
        from pki.operators.errors import OperatorError

        try:
            yield
        except (OperatorError, PKIError) as error:
            raise ClickException(f"{beginning}{error}") from error
    except ConfigError as error:
        raise ClickException(str(error)) from error


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
