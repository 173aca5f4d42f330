"""Secrets from the AWS Parameters and Secrets Lambda extension, over local HTTP.

The extension is a layer that an operator adds to a function. A function with it need not import
boto3, which takes a quarter of a second of a cold start, and calls Secrets Manager less often. The
extension keeps a secret for five minutes (SECRETS_MANAGER_TTL), so only code that uses a secret
asks it. Code that writes a secret asks AWS.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html
"""

import base64
import json
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.views.decorators.debug import sensitive_variables

from pki.aws.clients import AWSLocation

DEFAULT_PORT = 2773
_OK = 200


@sensitive_variables()
def ask_extension(name: str, place: AWSLocation, *, read_timeout: int) -> Mapping[str, Any] | None:
    """Return what GetSecretValue would answer; ``None`` if AWS has to be asked instead.

    That is so outside of Lambda, without the layer, for another region or account than the
    function's, and while the extension starts. It is so for every failure too, because AWS's own
    error says more. ``read_timeout`` is in seconds.
    """
    token = os.environ.get("AWS_SESSION_TOKEN", "")
    is_elsewhere = place.role_arn or place.region not in ("", os.environ.get("AWS_REGION"))
    if "AWS_LAMBDA_RUNTIME_API" not in os.environ or not token or is_elsewhere:
        return None
    answer = _get(f"/secretsmanager/get?secretId={quote(name, safe='')}", token, read_timeout)
    if not isinstance(answer, dict) or "VersionId" not in answer:
        return None
    if "SecretBinary" in answer:
        return {**answer, "SecretBinary": base64.b64decode(answer["SecretBinary"])}
    return answer


@sensitive_variables()
def _get(path: str, token: str, read_timeout: int) -> Any:
    """Return the JSON at ``path``; ``None`` for every other answer, or without one."""
    from http.client import HTTPConnection, HTTPException

    port = os.environ.get("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT", "")
    connection = HTTPConnection(
        "localhost", int(port) if port.isdecimal() else DEFAULT_PORT, timeout=read_timeout
    )
    try:
        connection.request("GET", path, headers={"X-Aws-Parameters-Secrets-Token": token})
        response = connection.getresponse()
        return json.loads(response.read()) if response.status == _OK else None
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
