"""The CDK sample's format of a CA in Secrets Manager, which is ours too.

A device CA has two secrets, certificate and key, both PEM. A client CA, and the first client, have
one: ``{"certificate": PEM, "key": PEM}``. A key is PKCS #8 or in its algorithm's older form, and
isn't encrypted: Secrets Manager does that.
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
from pki.encoding.certificates import pem_of
from pki.operators.errors import OperatorError

_KEY = re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?-----END \1-----", re.DOTALL)
_CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class SecretContent:
    """What a secret holds of a CA or a client; nothing at all where there is a placeholder."""

    certificates: tuple[x509.Certificate, ...] = ()
    """The CA's own, then those above it."""
    key_pem: str = field(default="", repr=False)


@sensitive_variables()
def read_content(name: str, value: SecretValue | None) -> SecretContent:
    """Take apart the secret ``name``. Raises ``OperatorError`` when it is of another format."""
    certificate, key = _parts(value.content.decode(errors="replace").strip() if value else "")
    match = _KEY.search(key)
    if (_CERTIFICATE not in certificate and not is_placeholder(certificate)) or (
        match is None and not is_placeholder(key)
    ):
        raise OperatorError(
            f"the secret {name} holds something else than a certificate or a private key: wanted "
            'PEM, which begins with -----BEGIN, or {"certificate": PEM, "key": PEM}, or NULL'
        )
    return SecretContent(_certificates(name, certificate), match[0] if match else "")


@sensitive_variables()
def is_free(value: SecretValue | None) -> bool:
    """Whether a secret, of this format or another, is still to be filled."""
    text = value.content.decode(errors="replace").strip() if value else ""
    return is_placeholder(text) or (
        text.startswith("{") and all(is_placeholder(part) for part in _parts(text))
    )


@sensitive_variables()
def load_key(name: str, pem: str, *, is_checked: bool = False) -> CertificateIssuerPrivateKeyTypes:
    """The key that ``read_content`` found in the secret ``name``.

    ``is_checked`` leaves out the check that an RSA key's numbers belong together, which takes 250
    ms for RSA-4096. Raises ``OperatorError`` for what can't sign.
    """
    complaint = ""
    key = None
    try:
        key = load_pem_private_key(pem.encode(), None, unsafe_skip_rsa_key_validation=is_checked)
    except TypeError:
        complaint = "is encrypted: store it decrypted, for Secrets Manager encrypts it"
    except (ValueError, UnsupportedAlgorithm):
        complaint = "can't be read: wanted an EC or RSA key as PEM"
    if key is not None and not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        complaint = f"is a {type(key).__name__}: wanted an EC or RSA key"
    if complaint:  # raised here, for the library's errors hold what they were given
        raise OperatorError(f"the private key in the secret {name} {complaint}")
    return key  # type: ignore[return-value]  # of one of the two, as was just seen


@sensitive_variables()
def key_pem(key: CertificateIssuerPrivateKeyTypes) -> str:
    """The key as PKCS #8, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def certificate_pem(certificate: x509.Certificate) -> str:
    """The certificate as PEM."""
    return pem_of(certificate)


@sensitive_variables()
def pair(certificate: str, key: str) -> str:
    """Certificate and key (PEM, or "" for none yet) as one JSON object."""
    return json.dumps({"certificate": certificate, "key": key})


@sensitive_variables()
def _parts(text: str) -> tuple[str, str]:
    """Where the certificate is, and where the key; text that is neither counts as both."""
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
        return tuple(x509.load_pem_x509_certificates(pem.encode()))
    except ValueError as error:
        raise OperatorError(f"the secret {name} holds a certificate that can't be read") from error
