"""The extensions of a certificate (RFC 5280 4.2) in words, as a list in HTML."""

from cryptography import x509
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pki.admin.display import visible
from pki.encoding.extension_words import extension_words


def extensions_in_words(certificate: x509.Certificate) -> SafeString:
    """Return a list of the extensions in HTML, with critical ones marked."""
    try:
        lines = [
            (one.name, visible(one.value), " (critical)" if one.is_critical else "")
            for one in extension_words(certificate.extensions)
        ]
    except (
        ValueError
    ) as error:  # an imported CA's certificate may have extensions that cannot be parsed
        return format_html("The extensions cannot be parsed: {}", visible(str(error)))
    return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}{}</li>", lines))
