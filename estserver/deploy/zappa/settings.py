"""Zappa's settings, as the configuration asks for them.

The committed ``zappa_settings.json`` holds what is the same for all installations, with example
names. What differs comes from ``config.yaml``. Zappa's `settings` callback hands it over at each
run, and ``manage.py zappa_settings --write`` puts it into the file for a person or another tool.
"""

import copy
import json
from pathlib import Path
from typing import Any

from estserver.config import PROJECT_ROOT, Config
from estserver.deploy.deployment import LIVE, STAGES, Deployment
from estserver.deploy.rights.database_stack import find_stack
from estserver.deploy.zappa.admin_function import LAMBDA_MAXIMUM
from estserver.deploy.zappa.live_version import check_snap_start
from estserver.deploy.zappa.schema import description_here
from pki.operators.errors import OperatorError

SETTINGS_FILE = PROJECT_ROOT / "zappa_settings.json"
COMMON = "common"


def read_settings(path: Path = SETTINGS_FILE) -> dict[str, Any]:
    """Return the file's settings. Raises ``OperatorError`` when it is unreadable or incomplete."""
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OperatorError(
            f"{path.name} cannot be read: {error}. Restore it from the repository."
        ) from error
    missing = {COMMON, *STAGES} - settings.keys()
    if missing:
        raise OperatorError(
            f"{path.name} has no stage {', '.join(sorted(missing))}. Restore it from the "
            "repository."
        )
    return dict(settings)


def rendered(settings: dict[str, Any], deployment: Deployment) -> dict[str, Any]:
    """Return ``settings`` with everything that the configuration decides.

    Raises ``OperatorError`` when the configuration names a stack that cannot be used.
    """
    result = rendered_without_account(settings, deployment.config)
    options = deployment.config.deployment
    result[COMMON] |= {
        "aws_region": deployment.region,
        "s3_bucket": deployment.package_bucket,
        "manage_roles": False,
        "route53_enabled": False,
    }
    if stack := find_stack(deployment):
        result[COMMON]["vpc_config"] = {
            "SubnetIds": list(stack.subnet_ids),
            "SecurityGroupIds": [stack.security_group_id],
        }
    elif options.vpc_subnet_ids:
        result[COMMON]["vpc_config"] = {
            "SubnetIds": list(options.vpc_subnet_ids),
            "SecurityGroupIds": list(options.vpc_security_group_ids),
        }
    else:
        result[COMMON].pop("vpc_config", None)
    for stage in STAGES:
        result[stage] |= {
            "role_arn": deployment.role_arn(deployment.role(stage)),
            "tags": deployment.tags(stage),
        }
        domains = deployment.domains_of(stage)
        if domains:
            # Zappa's handler takes it for the host of a request without a Host header, and
            # `zappa undeploy` unmaps it.
            result[stage]["domain"] = domains[0].name
        else:
            result[stage].pop("domain", None)
    return result


def rendered_without_account(settings: dict[str, Any], config: Config) -> dict[str, Any]:
    """Return ``settings`` with what a package needs, without names of an account and region.

    Raises ``OperatorError`` for SnapStart.
    """
    result = copy.deepcopy(settings)
    values = config.properties
    for stage, held in result.items():
        check_snap_start(str(held.get("snap_start") or "None"), f"zappa_settings.json, {stage}")
    result[COMMON] |= {
        "project_name": config.deployment.project_name,
        "runtime": values.lambda_runtime,
        "architecture": values.lambda_architecture,
        "timeout_seconds": values.lambda_timeout_seconds,
        "lambda_description": description_here(),
        "apigateway_lambda_qualifier": LIVE,
    }
    # The setup migrates in this function, and a new cluster builds dozens of indexes. API Gateway
    # waits for a page no longer than before.
    result["admin"]["timeout_seconds"] = LAMBDA_MAXIMUM
    if config.deployment.tracing:
        # Zappa sets the function's mode at each update, to passive without this.
        result[COMMON]["xray_tracing"] = True
    return result


def differences(settings: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """Return the keys that differ, as ``stage.key``."""
    return sorted(
        f"{stage}.{key}"
        for stage in wanted
        for key in wanted[stage].keys() | settings.get(stage, {}).keys()
        if wanted[stage].get(key) != settings.get(stage, {}).get(key)
    )


def as_text(settings: dict[str, Any]) -> str:
    """Return the text of a settings file."""
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"
