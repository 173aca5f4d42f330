"""Secrets over local HTTP, where the AWS Parameters and Secrets Lambda extension runs.

The extension is a layer that an operator adds to a function. It saves the function boto3, a quarter
of a second of a cold start, and Secrets Manager most calls: it remembers a secret for five minutes
(SECRETS_MANAGER_TTL). So it is for whoever uses a secret; whoever writes one asks AWS.
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
    """What GetSecretValue would answer; ``None`` when the extension can't say, and AWS must.

    That is so outside of Lambda, without the layer, for another region or account than the
    function's, while the extension starts, and for any failure: AWS's own words are better.
    ``read_timeout`` is in seconds.
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
    """The JSON at ``path``; ``None`` without one."""
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
