"""Checks of what a device does: fetch the CAs, enroll and renew. Each byte of a reply counts."""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID
from django.utils import timezone

from estserver.operations.report_rows import Row
from estserver.smoke.device import NewKey
from estserver.smoke.refusals import PKCS10
from estserver.smoke.replies import Unfit, certificates_of, der_of, issuer_of
from estserver.smoke.wire import Credentials, HandshakeRefused, Server
from pki.encoding.certificates import fingerprint_of

Authorities = Sequence[x509.Certificate]

LOGS = "See the function's log, and in the access log whether the request reached it."


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A certificate that the server issued to the test."""

    certificate: x509.Certificate
    key: NewKey

    @property
    def fingerprint(self) -> str:
        """SHA-256, lower-case hex."""
        return fingerprint_of(self.certificate)


def ca_certificates(server: Server, client: Credentials) -> tuple[Authorities, Row]:
    """Fetch the CAs for devices, and check that each chains to a root among them.

    Raises Unreachable.
    """
    name = "cacerts"
    try:
        found = certificates_of(server.ask("GET", server.operation("cacerts"), client=client))
    except (Unfit, HandshakeRefused) as error:
        return (), Row(name, "FAIL", str(error), LOGS)
    if not found:
        return (), Row(name, "FAIL", "It has no certificate.", "Run bootstrap_cas.")
    loose = [one.subject.rfc4514_string() for one in found if issuer_of(one, found) is None]
    if loose:
        return found, Row(
            name,
            "WARN",
            f"{len(found)} certificates, without the issuer of {', '.join(loose)}.",
            "Import the whole chain, because devices need a root (RFC 7030 4.1.3).",
        )
    return found, Row(name, "OK", f"{len(found)} certificates, of which each chains to a root.")


def csr_attributes(server: Server, client: Credentials) -> Row:
    """Check the answer to what a CSR should contain, which may be 204. Raises Unreachable."""
    name = "csrattrs"
    try:
        reply = server.ask("GET", server.operation("csrattrs"), client=client)
        if reply.status == 204:
            return Row(name, "OK", "204: the server asks for nothing.")
        der = der_of(reply, "application/csrattrs")
    except (Unfit, HandshakeRefused) as error:
        return Row(name, "FAIL", str(error), LOGS)
    if not der.startswith(b"\x30"):
        return Row(
            name, "FAIL", "The body is not CsrAttrs in DER.", "Check the profile's csrattrs."
        )
    return Row(name, "OK", f"{len(der)} bytes of DER.")


def enroll(
    server: Server, client: Credentials, wanted: NewKey, *, authorities: Authorities
) -> tuple[Enrolled | None, Row]:
    """Enroll a new key, and check the certificate. Raises Unreachable."""
    return _issue("simpleenroll", server, client, wanted, authorities)


def reenroll(
    server: Server, own: Credentials, first: Enrolled, *, authorities: Authorities
) -> tuple[Enrolled | None, Row]:
    """Renew with another new key and the device's own certificate. Raises Unreachable."""
    wanted = NewKey(first.key.common_name, first.key.is_cn_only)
    return _issue("simplereenroll", server, own, wanted, authorities)


def _issue(
    name: str,
    server: Server,
    client: Credentials,
    wanted: NewKey,
    authorities: Authorities,
) -> tuple[Enrolled | None, Row]:
    try:
        reply = server.ask(
            "POST", server.operation(name), client=client, headers=PKCS10, body=wanted.csr
        )
        certificates = certificates_of(reply)
    except HandshakeRefused as error:
        advice = "Check that the device CA is in the truststore (aws_truststore)."
        finding = f"The server refused the client certificate in the TLS handshake: {error}."
        return None, Row(name, "FAIL", finding, advice)
    except Unfit as error:
        return None, Row(
            name, "FAIL", str(error), f"docs/reason-codes.md explains the codes. {LOGS}"
        )
    if len(certificates) != 1:
        finding = f"The answer has {len(certificates)} certificates instead of one."
        return None, Row(name, "FAIL", finding, LOGS)
    enrolled = Enrolled(certificates[0], wanted)
    problems = _problems(enrolled, authorities)
    if problems:
        return enrolled, Row(name, "FAIL", " ".join(problems), "Check the profile, and cacerts.")
    days = (enrolled.certificate.not_valid_after_utc - timezone.now()).days
    finding = (
        f"A CA of cacerts signed a certificate for {wanted.common_name} and its key, which is "
        f"valid for {days} days. The body is base64 to the byte."
    )
    return enrolled, Row(name, "OK", finding)


def _problems(enrolled: Enrolled, authorities: Authorities) -> list[str]:
    """Return a sentence for each fault of a certificate that was issued."""
    certificate, wanted = enrolled.certificate, enrolled.key
    problems = []
    if certificate.public_key() != wanted.key.public_key():
        problems.append("The certificate has another key than the CSR.")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [name.value for name in names] != [wanted.common_name]:
        problems.append(f"The certificate is for {certificate.subject.rfc4514_string()!r}.")
    if issuer_of(certificate, authorities) is None:
        problems.append("No CA of cacerts signed it.")
    if not certificate.not_valid_before_utc <= timezone.now() < certificate.not_valid_after_utc:
        problems.append("It is not valid now.")
    return problems
