"""The format of a CA in Secrets Manager. It is the CDK sample's.

A device CA has two secrets, one with its certificate and one with its key, both PEM. A client CA
has one secret, ``{"certificate": PEM, "key": PEM}``, and so has the first client. A key is PKCS #8
or in its algorithm's older form. It is not encrypted, because Secrets Manager encrypts every
secret.
"""

import json
import re
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from django.views.decorators.debug import sensitive_variables

from pki.aws.secrets import SecretValue, is_placeholder
from pki.encoding.reading import UNREADABLE, read_certificates
from pki.operators.errors import OperatorError

_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class SecretContent:
    """What a secret holds of a CA or a client. A placeholder counts as nothing."""

    certificates: tuple[x509.Certificate, ...] = ()
    """The CA's own certificate, then those of the CAs above it."""
    key_pem: str = field(default="", repr=False)


@sensitive_variables()
def read_content(name: str, value: SecretValue | None) -> SecretContent:
    """Parse the secret ``name``. Raises ``OperatorError`` when it is of another format."""
    certificate, key = _parts(value.content.decode(errors="replace").strip() if value else "")
    match = _KEY.search(key)
    if (_CERTIFICATE not in certificate and not is_placeholder(certificate)) or (
        match is None and not is_placeholder(key)
    ):
        raise OperatorError(
            f"The secret {name} holds something else than a certificate or a private key. Store "
            'PEM, which begins with -----BEGIN, or {"certificate": PEM, "key": PEM}, or NULL.'
        )
    return SecretContent(_certificates(name, certificate), match[0] if match else "")


@sensitive_variables()
def is_free(value: SecretValue | None) -> bool:
    """Return whether a secret, of this format or another, holds nothing yet."""
    text = value.content.decode(errors="replace").strip() if value else ""
    return is_placeholder(text) or (
        text.startswith("{") and all(is_placeholder(part) for part in _parts(text))
    )


@sensitive_variables()
def load_key(name: str, pem: str, *, is_checked: bool = False) -> CertificateIssuerPrivateKeyTypes:
    """Return the key that ``read_content`` found in the secret ``name``.

    ``is_checked`` means that the numbers of an RSA key are known to belong together. To check that
    takes 250 ms for RSA-4096. Raises ``OperatorError`` for a key that cannot sign.
    """
    complaint = ""
    key = None
    try:
        key = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=is_checked)
    except TypeError:
        complaint = "is encrypted. Store it decrypted, because Secrets Manager encrypts it."
    except (ValueError, UnsupportedAlgorithm):
        complaint = "cannot be read. Store an EC or RSA key as PEM."
    if key is not None and not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        complaint = f"is a {type(key).__name__}. Store an EC or RSA key as PEM."
    if complaint:  # raised out here, because the library's errors hold the key that they refuse
        raise OperatorError(f"The private key in the secret {name} {complaint}")
    return key  # type: ignore[return-value]  # it is of one of the two kinds


@sensitive_variables()
def key_pem(key: CertificateIssuerPrivateKeyTypes) -> str:
    """Return the key as PKCS #8, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@sensitive_variables()
def pair(certificate: str, key: str) -> str:
    """Return certificate and key (PEM, or "" for none yet) as one JSON object."""
    return json.dumps({"certificate": certificate, "key": key})


@sensitive_variables()
def _parts(text: str) -> tuple[str, str]:
    """Return the text with the certificate and that with the key. Other text stands for both."""
    if text.startswith("{"):
        try:
            parts = json.loads(text)
        except ValueError:
            return text, text
        return str(parts.get("certificate") or ""), str(parts.get("key") or "")
    has_certificate, has_key = _CERTIFICATE in text, _KEY.search(text) is not None
    if has_certificate or has_key:
        return text if has_certificate else "", text if has_key else ""
    return text, text


def _certificates(name: str, pem: str) -> tuple[x509.Certificate, ...]:
    if is_placeholder(pem):
        return ()
    try:
        return tuple(read_certificates(pem.encode()))
    except UNREADABLE as error:
        raise OperatorError(
            f"The secret {name} holds a certificate that cannot be read. Store it as PEM."
        ) from error
