"""Intent, sign, issued: every signature of a device certificate takes this road.

A certificate that exists and is not on record cannot be revoked, so the record comes first. A crash
after any step leaves a row that says how far the issuance got. The same request takes it up where
it stopped, so a device that sends its request again gets one certificate and not two.
"""

import logging
from collections.abc import Callable
from functools import partial

from pki.csr.san import name_texts
from pki.issuance.record_intent import Intent, find_or_record_intent
from pki.issuance.record_issued import (
    Expected,
    IntentWithdrawn,
    certificate_or_refusal,
    record_issued,
)
from pki.issuance.request import EnrollmentRequest
from pki.issuance.verified_signing import sign, signing_request
from pki.models import IssuedCertificate
from pki.models.round_trips import NothingChanged
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)


def issue_certificate(
    request: EnrollmentRequest,
    *,
    on_issued: Callable[[IssuedCertificate], None] | None = None,
) -> IssuedCertificate:
    """Sign ``request`` and record the certificate, or return the one that it got before.

    ``on_issued`` runs in the transaction that records the certificate, for rows that must exist
    exactly when it does. Raises ``DeviceDenied``, ``EnrollmentRefused``, ``ClientRefused``,
    ``QuotaExceeded``, ``SignerRefused``, ``SignerUnavailable``, ``AuthorityUnavailable`` or
    ``Busy``. After the last three the client may send the same request again.
    """
    # Step 1, in one transaction: check the denylist and the name rules, and record an intent. The
    # checks are part of this step, so no caller reaches a signature without them.
    intent = in_write_transaction(lambda: find_or_record_intent(request))
    if not isinstance(intent, Intent):
        return intent  # the certificate that the same request got before
    if intent.left_out:
        logger.info(
            "the SAN of %s has names that the profile leaves out",
            intent.row,
            extra={"fields": {"san_left_out": name_texts(intent.left_out)}},
        )
    # Step 2, outside of any transaction: have the CA's signer sign it, and check the certificate.
    certificate = sign(
        intent.row,
        request.profile.authority,
        signing_request(
            intent.row,
            request.csr,
            subject=intent.subject,
            san=intent.san,
            tenant_id=request.tenant_id,
        ),
    )
    # Step 3, in one transaction: turn the intent into a certificate on record, if it is still an
    # intent and neither a denylist entry nor a revocation has come in between.
    record = partial(
        record_issued, intent.row, request, certificate, owner=intent.owner, on_issued=on_issued
    )
    expected = [Expected(intent.current)]
    try:
        try:
            # One attempt, because after a conflict something else than expected is on record.
            return in_write_transaction(
                lambda: record(expected=expected.pop() if expected else None)
            )
        except NothingChanged:
            return in_write_transaction(record)
    except IntentWithdrawn:
        # Step 4, only then: find out what came in between, and make the intent void.
        return certificate_or_refusal(intent.row, request)
