"""An upstream EST server signs. This server is its registration authority (RA).

The device authenticates here, by the rules of its profile. The CSR then goes upstream unchanged,
with this server's own client certificate, which the upstream server has to trust as an RA's.

**Renewals use simpleenroll too.** simplereenroll renews the certificate that the client presents in
TLS, or one with the same subject (RFC 7030 4.2.2). That certificate is the device's, and its key
never leaves the device, so an RA cannot present it. RFC 7030 gives an RA authority in another way:
the extended key usage id-kp-cmcRA in its client certificate says that it may ask for the names of
others (RFC 7030 3.7). The upstream server decides whether it requires that, or trusts this one
client certificate. Subject and SAN were compared with the certificate on file before, by this
server.

**The upstream server chooses the validity.** It may be shorter than this profile's. A certificate
that is valid for longer than the profile grants is refused.

**One certificate for an intent.** A CSR that comes again is sent again, with the same bytes. An
upstream server of this project answers with the same certificate for ten minutes; RFC 7030 promises
nothing of the kind. If there are two different certificates, the one on record is the device's.
"""

import logging
from collections.abc import Iterator, Mapping
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
from pki.signers.base import ExistingAuthority, Signer
from pki.signers.certificate_contents import Issuer, SigningRequest
from pki.signers.est.client import ESTClient
from pki.signers.est.identity import ClientIdentity, FilesIdentity, SecretIdentity
from pki.signers.est.reply import Reply, certificates_in
from pki.signers.iam import IAMStatement, SigningFunction, read_secrets
from pki.signers.options import Options

logger = logging.getLogger(__name__)

_HOST: Final = r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
_LABEL: Final = r"(?!(cacerts|csrattrs|fullcmc|serverkeygen|simple(re)?enroll)/?$)[\w.~-]+"
_URL: Final = rf"https://({_HOST}|\[[0-9A-Fa-f:]+\])(:\d{{1,5}})?(/\.well-known/est(/{_LABEL})?)?/?"
_SECRET: Final = r"[A-Za-z0-9/_+=.@:-]{1,512}"  # noqa: S105  # a pattern: name or ARN

_FOR_OPERATORS: Final = frozenset({401, 403, 404, 405, 407})
"""This server's credentials or URL are wrong, and a device cannot change that."""
_TRY_LATER: Final = frozenset({408, 425, 429})
"""The 4xx after which the same request may succeed later."""


class ESTSigner(Signer):
    """Enrolls at ``url``, whose certificate must come from ``trustAnchor`` (a PEM file).

    ``clientCertificate`` and ``clientKey`` (PEM files) are this server's own, or ``clientSecret``
    names a secret in Secrets Manager that holds both: ``{"certificate": PEM, "key": PEM}``.
    ``serverName`` is the name in the server's certificate when the URL has another. A request takes
    ``timeoutSeconds`` (10) at most, from connecting to the last byte.
    """

    ALIAS = "est"
    OPTIONS = (
        "url",
        "trustAnchor",
        "clientCertificate",
        "clientKey",
        "clientSecret",
        "serverName",
        "timeoutSeconds",
    )
    custody = "an EST server upstream, which signs"
    has_own_ca = True

    def __init__(self, **given: Any) -> None:
        """Read OPTIONS and the files that they name. Raises ``OperatorError``."""
        options = self.read_options(given)
        url = options.text(
            "url",
            "the https URL of an EST server, with or without label "
            "(https://est.example.com/.well-known/est/label)",
            pattern=_URL,
            is_required=True,
        )
        trust_anchor = options.text(
            "trustAnchor", "the PEM file of the server's CA", is_required=True
        )
        self._client = ESTClient(
            url,
            trust_anchor,
            _identity(options),
            server_name=options.text(
                "serverName", "a host name such as est.example.com", pattern=_HOST
            ),
            seconds=options.seconds("timeoutSeconds", default=10, most=20),
        )

    @classmethod
    def iam_statements(
        cls, options: Mapping[str, Any], function: SigningFunction
    ) -> Iterator[IAMStatement]:
        """Yield the right to read the client certificate, if it is in Secrets Manager."""
        if secret := options.get("clientSecret"):
            yield from read_secrets(function, (str(secret),))

    def sign(self, request: SigningRequest, issuer: Issuer) -> x509.Certificate:
        """Send the CSR to /simpleenroll (RFC 7030 4.2.1) and pick the certificate for its key.

        Raises ``SignerRefused`` when upstream refuses the request, and ``SignerUnavailable`` for
        every other failure. A 202 is one of them, because the device's next try asks upstream
        again.
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
                f"The CA {name_text(issuer.name)} is not among those that {self._client} "
                "publishes. Correct the label in url, or import the CA that it issues from."
            )

    def existing_authority(self, purpose: str) -> ExistingAuthority:
        """Return the CA of /cacerts that issued no other, with its chain (RFC 7030 4.1.3).

        Raises ``RemoteFailure``, or ``OperatorError`` when there are several such CAs, as there
        may be while one succeeds another.
        """
        published = self._client.cacerts()
        lowest = [
            one for one in published if not any(_has_issued(one, other) for other in published)
        ]
        if len(lowest) != 1:
            raise OperatorError(
                f"Of the CAs that {self._client} publishes, {len(lowest)} could be the issuing "
                "one. Put the right one and its chain into a file, and set "
                f"{setting_name('device_ca.certificate_path')}."
            )
        chain = lowest
        while above := [
            one for one in published if one not in chain and _has_issued(one, chain[-1])
        ]:
            chain.append(above[0])
        return ExistingAuthority(tuple(chain), "", str(self._client))

    def _certificates(self, reply: Reply) -> list[x509.Certificate]:
        try:
            return certificates_in(reply)
        except ValueError as error:
            logger.error("%s sent something unfit: %s", self._client, error)  # noqa: TRY400
            raise SignerUnavailable(Reason.SIGNER_MISBEHAVED) from error

    def _refuse(self, reply: Reply) -> NoReturn:
        """Raise for a reply without certificate. Its text is written to the log only."""
        if reply.status == 202:
            logger.info(
                "%s answered 202 (Retry-After %r): it decides later",
                self._client,
                reply.retry_after,
            )
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE)
        if reply.status in _FOR_OPERATORS and not _is_about_device(reply):
            logger.error(
                "%s refuses this server itself with HTTP %d (%s): see that it trusts our client "
                "certificate as an RA's, that it hasn't expired, and that the url is right",
                self._client,
                reply.status,
                reply.text,
            )
            self._client.forget_identity()  # a renewed one may be there by now
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE)
        logger.warning("%s answered HTTP %d: %s", self._client, reply.status, reply.text)
        if 400 <= reply.status < 500 and reply.status not in _TRY_LATER:
            raise SignerRefused(
                Reason.SIGNER_REFUSED,
                "The upstream EST server refused the request. The log has the reason.",
            )
        raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE)


@contextmanager
def _answering_for_upstream() -> Iterator[None]:
    """Turn an ``OperatorError`` into ``SignerUnavailable``, with the error as its cause."""
    try:
        yield
    except OperatorError as error:  # no reply, or no client certificate to ask with
        raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error


def _identity(options: Options) -> ClientIdentity:
    certificate = options.text("clientCertificate", "a PEM file")
    key = options.text("clientKey", "a PEM file")
    secret = options.text(
        "clientSecret", "the name of a secret in Secrets Manager", pattern=_SECRET
    )
    if secret and (certificate or key):
        raise options.problem(
            "clientSecret", "given beside clientCertificate or clientKey; keep one of the two ways"
        )
    if secret:
        return SecretIdentity(secret)
    if not (certificate and key):
        missing = "clientKey" if certificate else "clientCertificate"
        raise options.problem(
            missing, "missing, wanted clientCertificate and clientKey (PEM files), or clientSecret"
        )
    return FilesIdentity(certificate, key)


def _is_about_device(reply: Reply) -> bool:
    """Return whether a 403 of another server of this project refuses the device's own request.

    Its text begins with a reason's code. A code about the client is about this server, which is the
    client upstream.
    """
    is_known = reply.code in {reason.code for reason in Reason}
    return reply.status == 403 and is_known and not reply.code.startswith(("client-", "endpoint-"))


def _has_issued(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Return whether ``issuer`` signed ``certificate``, and is not the same certificate."""
    return issuer != certificate and is_signed_by(certificate, issuer)


def _key_sha256(certificate: x509.Certificate) -> str:
    """Return the digest of the public key; "" for a kind of key that the library lacks."""
    try:
        return public_key_sha256(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return ""
