"""The extensions of a certificate or CSR (RFC 5280 4.2) in words, for people."""

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509

_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)
_MAX_HEX = 64


@dataclass(frozen=True, slots=True)
class ExtensionWords:
    """One extension: its name, or its OID if it has none, and its value in words."""

    name: str
    value: str
    is_critical: bool


def extension_words(extensions: x509.Extensions) -> Iterator[ExtensionWords]:
    """Yield each extension in words. Text in them is as the certificate has it.

    Raises ``ValueError`` for a value that cannot be encoded again.
    """
    for extension in extensions:
        name = extension.oid._name if extension.oid._name != "Unknown OID" else ""
        yield ExtensionWords(
            name or extension.oid.dotted_string, _words(extension.value), extension.critical
        )


def _words(value: x509.ExtensionType) -> str:
    if isinstance(value, x509.BasicConstraints):
        if not value.ca:
            return "not a CA"
        limit = "any" if value.path_length is None else value.path_length
        return f"a CA, path length {limit}"
    if isinstance(value, x509.KeyUsage):
        return ", ".join(usage.replace("_", " ") for usage in _KEY_USAGES if getattr(value, usage))
    if isinstance(value, x509.ExtendedKeyUsage):
        return ", ".join(usage._name for usage in value)
    if isinstance(value, x509.SubjectAlternativeName):
        return ", ".join(str(name.value) for name in value)
    if isinstance(value, x509.SubjectKeyIdentifier):
        return value.digest.hex()
    if isinstance(value, x509.AuthorityKeyIdentifier):
        return value.key_identifier.hex() if value.key_identifier else "issuer and serial number"
    return f"{value.public_bytes().hex()[:_MAX_HEX]} (DER)"
