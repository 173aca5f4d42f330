"""Certificates and CSRs for people: extensions in words, findings, and the tree of their DER."""

from collections.abc import Iterator

from cryptography import x509
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from pki.admin.display import EMPTY, chip, table, visible
from pki.csr.public_keys import key_algorithm_name, public_key_sha256
from pki.csr.subjects import name_text
from pki.encoding.asn1_tree import ASN1Line, asn1_lines
from pki.encoding.extension_words import extension_words
from pki.encoding.lint import LintFinding
from pki.encoding.nodes import NotDER
from pki.encoding.reading import UNREADABLE, read_csr
from pki.exceptions import CSRRejected

_EXTENSION_REQUEST = x509.ObjectIdentifier("1.2.840.113549.1.9.14")  # RFC 2985 5.4.2
_CHALLENGE = "1.2.840.113549.1.9.7"  # RFC 2985 5.4.1


def extensions_in_words(
    certificate: x509.Certificate | x509.CertificateSigningRequest,
) -> str:
    """Return a list of the extensions in HTML, with critical ones marked."""
    try:
        lines = list(_lines(certificate.extensions))
    except ValueError as error:  # as an imported CA's certificate may have
        return format_html("The extensions cannot be parsed: {}", visible(str(error)))
    if not lines:
        return "none"
    return format_html("<ul>{}</ul>", format_html_join("", "<li>{}: {}{}</li>", lines))


def _lines(extensions: x509.Extensions) -> Iterator[tuple[str, str, str]]:
    for one in extension_words(extensions):
        yield one.name, visible(one.value), " (critical)" if one.is_critical else ""


def findings_in_words(found: list[LintFinding]) -> SafeString:
    """Return the findings of `pki.encoding.lint` in HTML."""
    if not found:
        return chip("No findings", "good")
    lines = ((chip("Finding", "soon"), each.sentence, each.source) for each in found)
    return format_html("<ul>{}</ul>", format_html_join("", "<li>{} {} ({})</li>", lines))


def csr_in_words(der: bytes) -> SafeString | str:
    """Return what a CSR asks for, in HTML: subject, key, requested extensions, attributes."""
    try:
        csr = read_csr(der)
        pairs = [
            ("Subject", visible(name_text(csr.subject)) or EMPTY),
            ("Key", key_algorithm_name(csr.public_key())),
            ("Key, SHA-256", public_key_sha256(csr.public_key())),
            ("Signed with", _signed_with(csr)),
            ("Signature", "verifies" if csr.is_signature_valid else "does not verify"),
            ("Requested extensions", extensions_in_words(csr)),
            ("Other attributes", _attributes(csr) or "none"),
        ]
    except (*UNREADABLE, CSRRejected) as error:
        return f"The CSR cannot be read: {visible(str(error))}"
    return table((), pairs)


def _signed_with(csr: x509.CertificateSigningRequest) -> str:
    used = csr.signature_hash_algorithm
    return f"{csr.signature_algorithm_oid._name} ({used.name.upper() if used else 'no hash'})"


def _attributes(csr: x509.CertificateSigningRequest) -> str:
    """Return the names of the attributes. A challengePassword (RFC 2985) may be a secret."""
    return ", ".join(
        each.oid._name if each.oid._name != "Unknown OID" else each.oid.dotted_string
        for each in csr.attributes
        if each.oid != _EXTENSION_REQUEST
    )


def tree_of(der: bytes) -> SafeString:
    """Return the tree of DER in HTML, closed until a person opens it."""
    try:
        lines = asn1_lines(der)
    except NotDER as error:
        return format_html("The tree ends where the bytes are not DER: {}.", str(error))
    text = "\n".join(
        f"{line.offset:>5} {'  ' * line.depth}{line.name} ({line.length}) {visible(value)}"
        for line, value in _without_passwords(lines)
    )
    return format_html(
        '<details><summary>{} values</summary><pre class="asn1" tabindex="0">{}</pre></details>',
        len(lines),
        text,
    )


def _without_passwords(lines: list[ASN1Line]) -> Iterator[tuple[ASN1Line, str]]:
    """Yield each line with what it shows: the value of a challengePassword may be a secret."""
    depth = None
    for line in lines:
        if depth is not None and line.depth <= depth:
            depth = None
        yield line, line.value if depth is None or not line.value else "(not shown)"
        if line.value.partition(" ")[0] == _CHALLENGE:
            depth = line.depth - 1  # of the attribute, whose values follow
