"""Certificate revocation lists of the CAs whose keys are here (RFC 5280 5)."""

import datetime
import logging
import random
import threading
import time
import uuid
from dataclasses import dataclass, field

from cryptography import x509
from django.db.models import Max, QuerySet
from django.utils import timezone

from pki.exceptions import Busy
from pki.models import CertificateAuthority, IssuedCertificate
from pki.reasons import Reason
from pki.record.transactions import ATTEMPTS, FIRST_PAUSE, in_write_transaction
from pki.signers import authority_key
from pki.signers.certificate_contents import authority_key_identifier
from pki.signers.issuer_name import sign_crl

logger = logging.getLogger(__name__)

LIFETIME = datetime.timedelta(days=7)
"""The time between thisUpdate and nextUpdate, for which a relying party may use a CRL."""

FRESH = datetime.timedelta(hours=1)
"""The age up to which a CRL is served again, unless a certificate was revoked in between."""

SETTLING = datetime.timedelta(seconds=30)
"""The longest time between a revocation's timestamp and its commit."""


SHARED_SECONDS = 5.0
"""How long a process answers with the CRL that it signed, or with the failure to sign it.

This is beside ``FRESH``: after a revocation a CRL on record is not served again for ``SETTLING``,
because it may have been signed just before the commit, and each request would sign another one."""


@dataclass(slots=True)
class _Signed:
    """What this process signed last for a CA. Threads that want a CRL wait for the lock."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    done_at: float = -SHARED_SECONDS
    """When the attempt ended, by the clock of ``time.monotonic``."""
    made_since: datetime.datetime | None = None
    """When the attempt began. The CRL on record is not older, unless the database was replaced."""
    newest: datetime.datetime | None = None
    """The newest revocation that was known when the attempt began."""
    der: bytes = b""
    failure: Exception | None = None

    def is_for_all(
        self, made_at: datetime.datetime | None, newest: datetime.datetime | None
    ) -> bool:
        """Return whether the outcome answers a request that comes now.

        ``made_at`` is that of the CRL on record.
        """
        return (
            time.monotonic() - self.done_at < SHARED_SECONDS
            and self.newest == newest
            and (self.failure is not None or self._is_not_older(made_at))
        )

    def _is_not_older(self, made_at: datetime.datetime | None) -> bool:
        return made_at is not None and self.made_since is not None and made_at >= self.made_since


_signed: dict[uuid.UUID, _Signed] = {}


def forget() -> None:
    """Drop what was signed, as when the database was replaced."""
    _signed.clear()


def current_crl(ca: CertificateAuthority) -> bytes:
    """Return the CA's CRL in DER: the one on record if it is fresh, otherwise a new one.

    A process signs once in ``SHARED_SECONDS`` for all requests, unless a revocation is newer.
    Raises what ``make_crl`` raises, for all requests that wait for the same signature.
    """
    # Step 1: the CRL on record, for which no thread waits.
    if ca.crl_der is not None and _is_settled(ca.crl_made_at, _newest_revocation(ca)):
        return bytes(ca.crl_der)
    signed = _signed.setdefault(ca.pk, _Signed())
    with signed.lock:
        # Step 2: what another thread signed while this one waited, or a moment before.
        newest = _newest_revocation(ca)
        made_at = CertificateAuthority.objects.values_list("crl_made_at", flat=True).get(pk=ca.pk)
        if not signed.is_for_all(made_at, newest):
            # Step 3: sign.
            signed.newest, signed.made_since = newest, timezone.now()
            _sign_into(signed, ca)
        if signed.failure is not None:
            raise signed.failure
        return signed.der


def _sign_into(signed: _Signed, ca: CertificateAuthority) -> None:
    """Sign a CRL. A failure is kept, so that requests do not queue for a signer out of order."""
    try:
        signed.der, signed.failure = make_crl(ca), None
    except Exception as failure:  # noqa: BLE001  # of any kind; each request that waits raises it
        signed.failure = failure
    signed.done_at = time.monotonic()


def _newest_revocation(ca: CertificateAuthority) -> datetime.datetime | None:
    newest: datetime.datetime | None = IssuedCertificate.objects.filter(ca=ca).aggregate(
        at=Max("revoked_at")
    )["at"]
    return newest


def _is_settled(made_at: datetime.datetime | None, newest: datetime.datetime | None) -> bool:
    """Return whether the CRL on record is fresh, and surely has the newest revocation."""
    return (
        made_at is not None
        and made_at + FRESH > timezone.now()
        and (newest is None or newest + SETTLING < made_at)
    )


def make_crl(ca: CertificateAuthority) -> bytes:
    """Sign a CRL of all certificates that are revoked and not expired, and return its DER.

    The CRL is put on record. No two CRLs with one number are served (RFC 5280 5.2.3): of two
    processes that sign at once, the slower one signs again. Raises ``OperatorError`` if the CA's
    key is not here or cannot be read, and ``Busy`` if another process was faster at every attempt.
    """
    key = authority_key(ca, otherwise="Get the CRL from its PKI.")
    for attempt in range(ATTEMPTS):
        numbers = CertificateAuthority.objects.values_list("crl_number", flat=True)
        latest = numbers.get(pk=ca.pk)
        now = timezone.now()
        # Sign outside of any transaction, as everywhere: the key may be behind a network.
        der = sign_crl(_builder(ca, latest + 1, now), key, ca.certificate)
        if _put_on_record(ca, latest, der, now):
            return der
        logger.info("another CRL of %s was faster than number %d", ca, latest + 1)
        time.sleep(FIRST_PAUSE * 2**attempt * random.random())  # noqa: S311  # jitter
    raise Busy(Reason.DATABASE_UNAVAILABLE)


def _put_on_record(
    ca: CertificateAuthority, latest: int, der: bytes, now: datetime.datetime
) -> bool:
    """Put ``der`` on record after CRL ``latest``, and return whether that was still the latest."""

    def replace() -> int:
        return CertificateAuthority.objects.filter(pk=ca.pk, crl_number=latest).update(
            crl_number=latest + 1, crl_der=der, crl_made_at=now
        )

    return in_write_transaction(replace) == 1


def _builder(
    ca: CertificateAuthority, number: int, now: datetime.datetime
) -> x509.CertificateRevocationListBuilder:
    return (
        # Give all entries at once, because the builder copies its list at each that is added.
        x509.CertificateRevocationListBuilder(revoked_certificates=_entries(ca, now))
        .issuer_name(ca.certificate.subject)
        .last_update(now.replace(microsecond=0))
        .next_update((now + LIFETIME).replace(microsecond=0))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(authority_key_identifier(ca.certificate), critical=False)
    )


def revoked_certificates(
    ca: CertificateAuthority, now: datetime.datetime | None = None
) -> QuerySet[IssuedCertificate]:
    """Return what a CRL of ``ca`` lists: certificates that are revoked and not expired."""
    unexpired = IssuedCertificate.objects.filter(ca=ca, not_after__gt=now or timezone.now())
    return unexpired.exclude(revoked_at=None)


def _entries(ca: CertificateAuthority, now: datetime.datetime) -> list[x509.RevokedCertificate]:
    entries = []
    revoked = revoked_certificates(ca, now).values_list(
        "serial_number", "revoked_at", "revocation_reason"
    )
    for serial_number, revoked_at, reason in revoked.iterator():
        assert revoked_at is not None  # noqa: S101  # the query excludes None
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(int(serial_number, 16))
            .revocation_date(revoked_at)
        )
        # RFC 5280 5.3.1: leave the reason out instead of writing "unspecified".
        if reason and reason != x509.ReasonFlags.unspecified.value:
            entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags(reason)), critical=False)
        entries.append(entry.build())
    return entries
