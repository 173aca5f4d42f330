"""Login with a token of IAM: a presigned URL of the action DbConnect or DbConnectAdmin.

https://docs.aws.amazon.com/aurora-dsql/latest/userguide/SECTION_authentication-token.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

from tests.support.dsql.refusals import INVALID_AUTHORIZATION, ROLES, TOKENS, Refusal

ADMIN = "admin"
MOST_SECONDS = 604_800
"""The longest life of a token: a week."""


@dataclass(frozen=True)
class Principal:
    """An IAM role or user whose access key signs tokens."""

    arn: str
    secret_access_key: str
    session_token: str = ""
    actions: frozenset[str] = frozenset({"dsql:DbConnect", "dsql:DbConnectAdmin"})
    """What the principal's policies allow."""


def denied(detail: str, page: str = TOKENS) -> Refusal:
    """Return the refusal of a login. Its detail follows AWS's text, for whoever reads a log."""
    return Refusal(
        f"unable to accept connection, access denied: {detail}", page, INVALID_AUTHORIZATION
    )


def check_token(
    token: str, user: str, *, host: str, region: str, principals: dict[str, Principal]
) -> Principal:
    """Return the principal who signed ``token`` for the database role ``user``. Raises Refusal."""
    parts = urlsplit(f"https://{token}")
    fields = dict(parse_qsl(parts.query, keep_blank_values=True))
    wanted = "DbConnectAdmin" if user == ADMIN else "DbConnect"

    # Step 1: is it a token for this cluster and this kind of role?
    if parts.netloc != host or parts.path != "/":
        raise denied(f"the token is for the host {parts.netloc!r}")
    if fields.get("Action") != wanted:
        raise denied(f"the role {user} needs a token of the action {wanted}")
    credential = fields.get("X-Amz-Credential", "").split("/")
    if len(credential) != 5 or credential[2:] != [region, "dsql", "aws4_request"]:
        raise denied("the token's credential is of another service or region")

    # Step 2: is it in force?
    try:
        signed_at = datetime.strptime(fields["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        seconds = int(fields["X-Amz-Expires"])
    except (KeyError, ValueError) as error:
        raise denied("the token says not how long it lives") from error
    if seconds > MOST_SECONDS or datetime.now(UTC) > signed_at + timedelta(seconds=seconds):
        raise denied("the token has expired")

    # Step 3: did a principal sign it who may connect?
    principal = principals.get(credential[0])
    if principal is None:
        raise denied("the access key is not known")
    if fields.get("X-Amz-Security-Token", "") != principal.session_token:
        raise denied("the security token is not the principal's")
    signature = _signature(fields, host, credential, principal.secret_access_key)
    if not hmac.compare_digest(signature, fields.get("X-Amz-Signature", "")):
        raise denied("the signature does not match")
    if f"dsql:{wanted}" not in principal.actions:
        raise denied(f"{principal.arn} is not authorized to perform: dsql:{wanted}", ROLES)
    return principal


def _signature(
    fields: dict[str, str], host: str, credential: list[str], secret_access_key: str
) -> str:
    """Return the signature that belongs to these fields (Signature Version 4, in the query)."""
    query = "&".join(
        f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
        for name, value in sorted(fields.items())
        if name != "X-Amz-Signature"
    )
    request = "\n".join(["GET", "/", query, f"host:{host}", "", "host", _sha256(b"")])
    text = "\n".join(
        ["AWS4-HMAC-SHA256", fields["X-Amz-Date"], "/".join(credential[1:]), _sha256(request)]
    )
    key = f"AWS4{secret_access_key}".encode()
    for part in credential[1:]:
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _sha256(data: bytes | str) -> str:
    return hashlib.sha256(data if isinstance(data, bytes) else data.encode()).hexdigest()
