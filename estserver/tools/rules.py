"""What the rules of this server say of a certificate, CSR or key. The rules are elsewhere."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from django.utils import timezone

from estserver.tools.inspected import Finding, Inspected
from pki.csr.check import check_csr
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.public_keys import check_public_key
from pki.encoding.certificates import is_ca, is_signed_by
from pki.encoding.key_parameters import has_explicit_curve
from pki.encoding.lint import lint
from pki.encoding.names import name_key
from pki.encoding.reading import is_rewritten
from pki.exceptions import CSRRejected, PKIError
from pki.issuance.client_authentication import authenticate_certificate
from pki.record.snapshot import current_snapshot


def say_key_rules(inspected: Inspected, key: PublicKeyTypes) -> None:
    """Add whether a key of this kind can be certified here."""
    try:
        name = check_public_key(key, frozenset(KEY_ALGORITHMS))
    except CSRRejected as rejected:
        inspected.findings.append(_refused("Its key would be refused.", rejected))
    else:
        inspected.findings.append(Finding("OK", f"Its key ({name}) passes the checks of keys."))


def say_certificate_rules(inspected: Inspected, certificate: x509.Certificate) -> None:
    """Add how a certificate deviates from the standards, and what the lint finds in it.

    A CA's certificate is not linted, because the lint is for those that CAs issue.
    """
    if is_rewritten(certificate):
        inspected.findings.append(
            Finding(
                "WARN",
                "Its encoding deviates from DER or X.509 in a way that this server takes.",
                "docs/operating.md lists these deviations. Other software may refuse it.",
            )
        )
    if has_explicit_curve(certificate):
        inspected.findings.append(
            Finding(
                "FAIL",
                "Its EC key spells the parameters of its curve out.",
                "Make a key that names its curve (RFC 5480 2.1.1).",
            )
        )
    if not is_ca(certificate):
        inspected.findings.extend(
            Finding("WARN", one.sentence, f"See {one.source}.")
            for one in lint(certificate, _issuer(certificate))
        )


def _issuer(certificate: x509.Certificate) -> x509.Certificate | None:
    """Return the certificate of the CA on record that signed ``certificate``, if any."""
    named = current_snapshot().by_subject.get(name_key(certificate.issuer), ())
    signed = (one.certificate for one in named if is_signed_by(certificate, one.certificate))
    return next(signed, None)


def say_client(
    inspected: Inspected, chain: tuple[bytes, ...], certificate: x509.Certificate
) -> None:
    """Add whether the certificate, the first of ``chain``, would authenticate a client now."""
    if is_ca(certificate):
        now = timezone.now()
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            inspected.findings.append(Finding("FAIL", "It is not valid at this time."))
        inspected.findings.append(Finding("OK", "It is a CA's, so it authenticates no client."))
        return
    try:
        client = authenticate_certificate(chain[0], chain)
    except PKIError as refused:
        inspected.findings.append(_refused("It would authenticate no client.", refused))
        return
    kind = "a device" if client.is_device else "a client"
    inspected.findings.append(
        Finding("OK", f"It authenticates {kind} of the CA {client.authority} now.")
    )


def say_csr_rules(inspected: Inspected, der: bytes, label: str) -> None:
    """Add what the profile of the label says of a CSR."""
    try:
        profile = current_snapshot().profile(label)
        check_csr(der, profile.rules)
    except PKIError as refused:
        inspected.findings.append(_refused("It would be refused.", refused))
    else:
        inspected.findings.append(
            Finding(
                "OK",
                f"It passes the rules that the profile {profile.row} has for CSRs.",
                "manage.py dry_run says whether a certain client would get a certificate.",
            )
        )


def _refused(what: str, error: PKIError) -> Finding:
    return Finding("FAIL", f"{what} {error}", error.reason.advice)
