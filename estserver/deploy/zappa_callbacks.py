"""What Zappa calls on its way, by the names in ``callbacks`` of ``zappa_settings.json``.

Its hook points are ``settings`` (the settings were read; for every command), ``zip`` (the zip was
begun, and is uploaded next) and ``post`` (the end of ``deploy`` and ``update``). So a person who
runs `zappa deploy` needs no other command.

Zappa loads this file by its path, under the name ``zappa_callbacks``, in a process that knows
neither the project nor Django. It prints a ``ClickException`` as one sentence and ends with 1.
"""

import os
import shutil
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
    with _refusals_as_sentences():
        from django.conf import settings as django_settings

        from estserver.deploy.deployment import current_deployment
        from estserver.deploy.lifecycle import deploy
        from estserver.deploy.zappa import settings as zappa_settings
        from pki.operators.errors import RemoteFailure

        # Step 1: make buckets and roles, which Zappa itself would look for.
        if cli.command in DEPLOYING and not _is_part_of_aws_deploy():
            deploy.prepare(say=_say)
        # Step 2: fill in what differs from one installation to the next.
        committed = zappa_settings.read_settings()
        try:
            settings = zappa_settings.rendered(committed, current_deployment())
        except RemoteFailure as error:
            if cli.command not in WITHOUT_AWS:
                raise
            _say(f"Without an AWS account, roles and buckets have no names ({error.code}).")
            settings = zappa_settings.rendered_without_account(committed, django_settings.CONFIG)
        # Step 3: have Zappa read the result in place of the committed file.
        path = django_settings.CONFIG.data_dir / "zappa_settings.json"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(zappa_settings.as_text(settings), encoding="utf-8")
        cli.load_settings(str(path))
        # Step 4: go on where a deployment was cut off.
        if cli.command in DEPLOYING:
            _remove_old_packages(cli.lambda_name)
        if cli.command == "deploy":
            _go_on(cli)


def _go_on(cli: Any) -> None:
    """Let `zappa deploy` finish a stage that it began, and update one that it finished.

    Zappa refuses both, and names `zappa update`, which needs a stack.
    """
    from estserver.deploy.deployment import current_deployment
    from estserver.deploy.lifecycle import deploy
    from estserver.deploy.zappa.broken_stack import BrokenStack
    from estserver.deploy.zappa.stage import look_at_stage

    deployment, stage = current_deployment(), deploy.stage_named(cli.api_stage)
    step = BrokenStack(deployment, stage)
    if not step.plan(step.look()).is_empty:
        deploy.deploy([step], say=_say)
    seen = look_at_stage(deployment, stage)
    if seen.is_deployed:
        _say(f"The stage {stage} is deployed already, and is updated.")
        cli.deploy = lambda source_zip, docker_image_uri: cli.update(
            source_zip, no_upload=False, docker_image_uri=docker_image_uri
        )
    elif seen.function:
        _say(f"The function {cli.lambda_name} is there, and its stack is made now.")
        cli.zappa.get_lambda_function_versions = lambda function_name: []


def _remove_old_packages(name: str) -> None:
    """Remove the packages that runs of Zappa left here when they were cut off."""
    for path in Path(PROJECT_ROOT).glob(f"{name}-*.zip"):
        if path.stem.removeprefix(f"{name}-").isdecimal():
            path.unlink(missing_ok=True)


def _is_part_of_aws_deploy() -> bool:
    from estserver.deploy.zappa.run_zappa import PART_OF_DEPLOY

    return bool(os.environ.get(PART_OF_DEPLOY))


def fill_zip(zappa: Any) -> None:
    """Put the stage's package into the zip that Zappa has begun.

    Zappa would pack the whole virtual environment and working directory, with byte code that
    Lambda finds stale. Its ``exclude`` therefore leaves everything out, and the zip holds Zappa's
    handler and settings only. ``zappa package``, ``deploy`` and ``update`` all upload the same.

    Raises ClickException, which ends Zappa before anything is uploaded.
    """
    from click import ClickException

    from estserver.config import ConfigError, load_config
    from estserver.deploy.package.build import check_zappas_settings, fill
    from estserver.deploy.zappa.run_zappa import PACKAGE
    from pki.operators.errors import OperatorError

    zip_path = Path(zappa.zip_path)
    try:
        config = load_config()
        check_zappas_settings(zappa.runtime, zappa.architecture, config.properties)
        made = os.environ.get(PACKAGE)
        if made:
            shutil.copyfile(made, zip_path)
        else:
            fill(zip_path, zappa.api_stage, config)
    except (ConfigError, OperatorError) as error:
        zip_path.unlink(missing_ok=True)
        raise ClickException(f"The package of {zappa.api_stage} was not made. {error}") from error


def after_deployment(cli: Any) -> None:
    """Finish the stage that was deployed: its domain, lockdown, logs and the rest."""
    with _refusals_as_sentences(f"{cli.api_stage} is deployed, but not finished. "):
        from estserver.deploy.lifecycle import deploy

        if not _is_part_of_aws_deploy():
            deploy.finish(deploy.stage_named(cli.api_stage), say=_say)


@contextmanager
def _refusals_as_sentences(beginning: str = "") -> Iterator[None]:
    """Set Django up, and turn a refusal into one sentence where Zappa would print a traceback."""
    from click import ClickException

    os.environ["DJANGO_SETTINGS_MODULE"] = "estserver.settings.admin"
    from estserver.config import ConfigError

    try:
        import django
        from django.conf import settings

        settings.LOGGING_CONFIG = None  # Zappa has configured logging, and keeps that
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
