"""A presigned request (Signature Version 4), as databases of AWS take it for a password.

botocore signs such requests too, but takes a quarter of a second of a cold start to import, and the
description of a whole service besides. On Lambda the credentials are in the environment.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from django.views.decorators.debug import sensitive_variables

from pki.aws.clients import current_credentials

_ALGORITHM = "AWS4-HMAC-SHA256"
_NO_BODY = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Credentials:
    """An access key, as IAM hands it out."""

    key_id: str
    secret: str = field(repr=False)
    session_token: str = field(default="", repr=False)


@sensitive_variables()
def presigned_request(
    service: str,
    host: str,
    query: Mapping[str, str],
    *,
    region: str,
    seconds: int,
    at: datetime | None = None,
    credentials: Credentials | None = None,
) -> str:
    """Return a signed GET of ``host/?query`` without its scheme, which AWS takes for ``seconds``.

    ``host`` has its port, if it is not 443. ``at`` is the time of the signature, by default now;
    ``credentials`` are by default the process's. Raises ``RemoteFailure`` without credentials.
    """
    signer = credentials or _credentials()
    time = f"{(at or datetime.now(UTC)):%Y%m%dT%H%M%SZ}"
    # Step 1: what is signed is named in the query itself.
    scope = f"{time[:8]}/{region}/{service}/aws4_request"
    whole = {
        **query,
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-Credential": f"{signer.key_id}/{scope}",
        "X-Amz-Date": time,
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if signer.session_token:
        whole["X-Amz-Security-Token"] = signer.session_token
    text = urlencode(sorted(whole.items()), quote_via=quote, safe="-_.~")
    # Step 2: the digest of the request, in its canonical form.
    canonical = "\n".join(["GET", "/", text, f"host:{host}", "", "host", _NO_BODY])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    # Step 3: the signature, with a key for this day, region and service alone.
    key = f"AWS4{signer.secret}".encode()
    for part in scope.split("/"):
        key = _mac(key, part)
    signature = _mac(key, "\n".join([_ALGORITHM, time, scope, digest])).hex()
    return f"{host}/?{text}&X-Amz-Signature={signature}"


def _credentials() -> Credentials:
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ and "AWS_SECRET_ACCESS_KEY" in os.environ:
        return Credentials(
            os.environ["AWS_ACCESS_KEY_ID"],
            os.environ["AWS_SECRET_ACCESS_KEY"],
            os.environ.get("AWS_SESSION_TOKEN", ""),
        )
    return Credentials(*current_credentials())


def _mac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
