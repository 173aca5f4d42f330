"""An upstream EST server signs: this server is its registration authority (RA).

The device authenticates here, by the rules of its profile; the CSR then goes upstream as it came,
with this server's own client certificate, which the upstream has to trust as an RA's.

**Renewals use simpleenroll too.** simplereenroll renews the certificate that the client shows in
TLS, or one with the subject of it (RFC 7030 4.2.2), and that certificate is the device's; its
key never leaves the device, so no RA can show it. What RFC 7030 has for an RA is authority: the
extended key usage id-kp-cmcRA in its client certificate says that it may ask for the names of
others (RFC 7030 3.7). Whether upstream looks for that, or just knows this client certificate, is
upstream's to configure; here, subject and SAN were compared with the certificate on file before.

**Validity** is the upstream's to choose. It may be shorter than this profile's and not longer: a
certificate that outlives what the profile grants is refused as unfit.

**One certificate for an intent**: a CSR that comes again is sent again, the same bytes, and an
upstream of this kind answers with the same certificate for ten minutes (RFC 7030 knows no such
promise). Of two different ones, the one on record is what the device got.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from pki.conf import setting_name
from pki.csr.public_keys import public_key_sha256
from pki.csr.subjects import name_text
from pki.encoding.certificates import is_signed_by
from pki.exceptions import SignerRefused, SignerUnavailable
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.signers.base import Signer
from pki.signers.certificate_contents import Issuer, SigningRequest
from pki.signers.est.client import ESTClient, Reply, certificates_in
from pki.signers.est.identity import ClientIdentity, FromFiles, FromSecret
from pki.signers.options import Options

logger = logging.getLogger(__name__)

OPTIONS: Final = (
    "url",
    "trustAnchor",
    "clientCertificate",
    "clientKey",
    "clientSecret",
    "serverName",
    "timeoutSeconds",
)

_HOST: Final = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
_LABEL: Final = r"(?!(cacerts|csrattrs|fullcmc|serverkeygen|simple(re)?enroll)/?$)[\w.~-]+"
_URL: Final = rf"https://({_HOST}|\[[0-9A-Fa-f:]+\])(:\d{{1,5}})?(/\.well-known/est(/{_LABEL})?)?/?"
_SECRET: Final = r"[A-Za-z0-9/_+=.@:-]{1,512}"  # noqa: S105  # a pattern: name or ARN

_OPERATORS_TO_MEND: Final = frozenset({401, 403, 404, 405, 407})
"""Our credentials or our URL are wrong: no device can do anything about that."""
_LATER: Final = frozenset({408, 425, 429})
"""Of the 4xx, those that say: not now."""


class ESTSigner(Signer):
    """Enrolls at ``url``, whose certificate must come from ``trustAnchor`` (a PEM file).

    ``clientCertificate`` and ``clientKey`` (PEM files) are this server's own, or ``clientSecret``
    names a secret in Secrets Manager that holds both: ``{"certificate": PEM, "key": PEM}``.
    ``serverName`` is the name in the server's certificate when the URL has another. A request takes
    ``timeoutSeconds`` (10) at most, from connecting to the last byte.
    """

    def __init__(self, **given: Any) -> None:
        """Read OPTIONS and the files they name; raises ``OperatorError``. Nobody is called."""
        options = Options("ESTSigner", given, OPTIONS)
        url = options.text(
            "url",
            _URL,
            "the https URL of an EST server, with or without label "
            "(https://est.example.com/.well-known/est/label)",
            is_required=True,
        )
        trust_anchor = options.text(
            "trustAnchor", r".+", "the PEM file of the server's CA", is_required=True
        )
        self._client = ESTClient(
            url,
            trust_anchor,
            _identity(options),
            server_name=options.text("serverName", _HOST, "a host name such as est.example.com"),
            seconds=options.seconds("timeoutSeconds", default=10, most=20),
        )

    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Send the CSR to /simpleenroll (RFC 7030 4.2.1) and pick the certificate for its key.

        Raises ``SignerRefused`` when upstream says no to the request, and ``SignerUnavailable``
        for all else; after a 202 too, since the device's next try asks upstream again.
        """
        with _answering_for_upstream():
            reply = self._client.simpleenroll(request.csr.public_bytes(Encoding.DER))
            if reply.status != 200:
                self._refuse(reply)
            certificates = self._certificates(reply)
        wanted = public_key_sha256(request.csr.public_key())
        for certificate in certificates:
            if _key_sha256(certificate) == wanted:
                return certificate
        logger.error(
            "%s answered with %d certificates, none for the CSR's key",
            self._client,
            len(certificates),
        )
        raise SignerUnavailable(Reason.SIGNER_MISBEHAVED)

    def check(self, issuer: Issuer) -> None:
        """Raise ``SignerUnavailable`` unless /cacerts answers and has the CA on record."""
        with _answering_for_upstream():
            published = self._client.cacerts()
        if issuer.certificate not in published:
            raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from OperatorError(
                f"{self._client} doesn't publish the CA {name_text(issuer.name)}: correct the "
                "label in url, or import the CA that it issues from"
            )

    def authority_certificates(self) -> list[x509.Certificate]:
        """The CA of /cacerts that issued no other, with its chain (RFC 7030 4.1.3).

        Raises ``RemoteFailure``, or ``OperatorError`` when there are several such CAs, as there
        may be while one succeeds another.
        """
        published = self._client.cacerts()
        lowest = [
            one for one in published if not any(_has_issued(one, other) for other in published)
        ]
        if len(lowest) != 1:
            raise OperatorError(
                f"{self._client} publishes {len(lowest)} CAs that could be the issuing one: put "
                "the right one and its chain into a file, and set "
                f"{setting_name('device_ca.certificate_path')}"
            )
        chain = lowest
        while above := [
            one for one in published if one not in chain and _has_issued(one, chain[-1])
        ]:
            chain.append(above[0])
        return chain

    def _certificates(self, reply: Reply) -> list[x509.Certificate]:
        try:
            return certificates_in(reply)
        except ValueError as error:
            logger.error("%s sent something unfit: %s", self._client, error)  # noqa: TRY400
            raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from error

    def _refuse(self, reply: Reply) -> NoReturn:
        """Raise for a reply that is no certificate; what upstream says is for the log alone."""
        if reply.status == 202:
            logger.info(
                "%s is thinking it over (202, Retry-After %r)", self._client, reply.retry_after
            )
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE)
        if reply.status in _OPERATORS_TO_MEND and not _is_about_device(reply):
            logger.error(
                "%s refuses this server itself with HTTP %d (%s): see that it trusts our client "
                "certificate as an RA's, that it hasn't expired, and that the url is right",
                self._client,
                reply.status,
                reply.words,
            )
            self._client.forget_identity()  # a renewed one may be there by now
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE)
        logger.warning("%s answered HTTP %d: %s", self._client, reply.status, reply.words)
        if 400 <= reply.status < 500 and reply.status not in _LATER:
            raise SignerRefused(
                Reason.SIGNER_REFUSED,
                "the upstream EST server refused the request; the log says why",
            )
        raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE)


@contextmanager
def _answering_for_upstream() -> Iterator[None]:
    """Turn what went wrong on the way into what a device may hear; the cause says the rest."""
    try:
        yield
    except OperatorError as error:  # no reply, or no client certificate to ask with
        raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error


def _identity(options: Options) -> ClientIdentity:
    certificate = options.text("clientCertificate", r".+", "a PEM file")
    key = options.text("clientKey", r".+", "a PEM file")
    secret = options.text("clientSecret", _SECRET, "the name of a secret in Secrets Manager")
    if secret and (certificate or key):
        raise options.problem(
            "clientSecret", "given beside clientCertificate or clientKey; keep one of the two ways"
        )
    if secret:
        return FromSecret(secret)
    if not (certificate and key):
        missing = "clientKey" if certificate else "clientCertificate"
        raise options.problem(
            missing, "missing, wanted clientCertificate and clientKey (PEM files), or clientSecret"
        )
    return FromFiles(certificate, key)


def _is_about_device(reply: Reply) -> bool:
    """Whether a 403 is one that this project's own server gives for what the device asks.

    Its text begins with a reason's code. Those of the client, in upstream's eyes, are ours.
    """
    is_known = reply.code in {reason.code for reason in Reason}
    return reply.status == 403 and is_known and not reply.code.startswith(("client-", "endpoint-"))


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether one of two different certificates is signed by the other."""
    return issuer != certificate and is_signed_by(certificate, issuer)


def _key_sha256(certificate: x509.Certificate) -> str:
    """Of its public key; "" for a key of a kind that the library doesn't know."""
    try:
        return public_key_sha256(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return ""
