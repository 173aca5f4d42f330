"""What a device does: fetch the CAs, enroll, renew. Each reply is looked at to the byte."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.utils import timezone

from estserver.deploy.status import Row
from estserver.smoke.device import NewKey
from estserver.smoke.doors import CACERTS
from estserver.smoke.refusals import ENROLL, PKCS10
from estserver.smoke.replies import Unfit, certificates_of, der_of, issuer_of
from estserver.smoke.wire import Credentials, HandshakeRefused, Server

CSRATTRS = "/.well-known/est/csrattrs"
REENROLL = "/.well-known/est/simplereenroll"

Authorities = Sequence[x509.Certificate]

GATEWAY = "see the function's log, and in the access log whether the request reached it"


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A certificate that the test was given."""

    certificate: x509.Certificate
    key: NewKey

    @property
    def fingerprint(self) -> str:
        """SHA-256, lower-case hex."""
        return hashlib.sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()


def ca_certificates(server: Server, client: Credentials) -> tuple[Authorities, Row]:
    """The CAs that devices are to trust, and whether each chains to a root among them.

    Raises Unreachable.
    """
    name = "cacerts"
    try:
        found = certificates_of(server.ask("GET", CACERTS, client=client))
    except (Unfit, HandshakeRefused) as error:
        return (), Row(name, "FAIL", str(error), GATEWAY)
    if not found:
        return (), Row(name, "FAIL", "no certificate is in it", "see bootstrap_cas")
    loose = [one.subject.rfc4514_string() for one in found if issuer_of(one, found) is None]
    if loose:
        return found, Row(
            name,
            "WARN",
            f"{len(found)} in all, without the issuer of {', '.join(loose)}",
            "devices can't verify up to a root (RFC 7030 4.1.3); import the whole chain",
        )
    return found, Row(name, "OK", f"{len(found)} in all, each chains to a root")


def csr_attributes(server: Server, client: Credentials) -> Row:
    """What a CSR should hold; 204 says that it doesn't matter. Raises Unreachable."""
    name = "csrattrs"
    try:
        reply = server.ask("GET", CSRATTRS, client=client)
        if reply.status == 204:
            return Row(name, "OK", "204: nothing is asked for")
        der = der_of(reply, "application/csrattrs")
    except (Unfit, HandshakeRefused) as error:
        return Row(name, "FAIL", str(error), GATEWAY)
    if not der.startswith(b"\x30"):
        return Row(name, "FAIL", "the body isn't CsrAttrs in DER", "see the profile's csrattrs")
    return Row(name, "OK", f"{len(der)} bytes of DER")


def enroll(
    server: Server, client: Credentials, wanted: NewKey, *, authorities: Authorities
) -> tuple[Enrolled | None, Row]:
    """A first certificate for a fresh key. Raises Unreachable."""
    return _issue("simpleenroll", server, ENROLL, client, wanted, authorities)


def reenroll(
    server: Server, own: Credentials, first: Enrolled, *, authorities: Authorities
) -> tuple[Enrolled | None, Row]:
    """A renewal with another fresh key, by the device's own certificate. Raises Unreachable."""
    wanted = NewKey(first.key.common_name, first.key.is_cn_only)
    return _issue("simplereenroll", server, REENROLL, own, wanted, authorities)


def _issue(
    name: str,
    server: Server,
    path: str,
    client: Credentials,
    wanted: NewKey,
    authorities: Authorities,
) -> tuple[Enrolled | None, Row]:
    try:
        reply = server.ask("POST", path, client=client, headers=PKCS10, body=wanted.csr)
        certificates = certificates_of(reply)
    except HandshakeRefused as error:
        advice = "see whether the device CA is in the truststore (aws_truststore)"
        return None, Row(name, "FAIL", f"refused in the handshake: {error}", advice)
    except Unfit as error:
        return None, Row(name, "FAIL", str(error), f"docs/reason-codes.md has codes; {GATEWAY}")
    if len(certificates) != 1:
        found = f"{len(certificates)} certificates came, wanted is one"
        return None, Row(name, "FAIL", found, GATEWAY)
    enrolled = Enrolled(certificates[0], wanted)
    problems = _problems(enrolled, authorities)
    if problems:
        return enrolled, Row(name, "FAIL", "; ".join(problems), "see the profile, and cacerts")
    days = (enrolled.certificate.not_valid_after_utc - timezone.now()).days
    found = (
        f"{wanted.common_name}: our key, signed by a CA of cacerts, valid for {days} days; the "
        "body is base64 to the byte"
    )
    return enrolled, Row(name, "OK", found)


def _problems(enrolled: Enrolled, authorities: Authorities) -> list[str]:
    """What is wrong with a certificate that was issued."""
    certificate, wanted = enrolled.certificate, enrolled.key
    problems = []
    if certificate.public_key() != wanted.key.public_key():
        problems.append("the certificate has another key than was sent")
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if [name.value for name in names] != [wanted.common_name]:
        problems.append(f"the certificate is for {certificate.subject.rfc4514_string()!r}")
    if issuer_of(certificate, authorities) is None:
        problems.append("no CA of cacerts signed it")
    if not certificate.not_valid_before_utc <= timezone.now() < certificate.not_valid_after_utc:
        problems.append("it isn't valid now")
    return problems
