"""The extensions of a certificate (RFC 5280 4.2) in words."""

from collections.abc import Iterator

from cryptography import x509
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pki.admin.display import visible

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


def extensions_in_words(certificate: x509.Certificate) -> SafeString:
    """Return a list of the extensions in HTML, with critical ones marked."""
    try:
        lines = list(_lines(certificate.extensions))
    except (
        ValueError
    ) as error:  # an imported CA's certificate may have extensions that cannot be parsed
        return format_html("The extensions cannot be parsed: {}", visible(str(error)))
    return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}{}</li>", lines))


def _lines(extensions: x509.Extensions) -> Iterator[tuple[str, str, str]]:
    for extension in extensions:
        name = extension.oid._name if extension.oid._name != "Unknown OID" else ""
        critical = " (critical)" if extension.critical else ""
        yield name or extension.oid.dotted_string, visible(_words(extension.value)), critical


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
