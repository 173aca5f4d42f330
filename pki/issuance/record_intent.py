"""Step 1 of an issuance: check the request against the record, and write down what is to be signed.

An intent holds the serial number, the profile version, the CSR and the client.
"""

import datetime
from dataclasses import dataclass

from cryptography import x509
from django.utils import timezone

from pki.csr.san import name_texts, renewed_san
from pki.issuance.judgement import Judgement, judge
from pki.issuance.on_file import CertificateOnFile
from pki.issuance.request import EnrollmentRequest
from pki.models import IssuedCertificate, hot_path_sql
from pki.record import audit_trail
from pki.record.intents import new_intent

State = IssuedCertificate.State


@dataclass(frozen=True, slots=True)
class Intent:
    """A row whose certificate is to be signed, with the names as they will be encoded."""

    row: IssuedCertificate
    subject: x509.Name
    san: x509.SubjectAlternativeName | None
    owner: IssuedCertificate
    """The row that owns the thing name, this one or an earlier one."""
    left_out: tuple[x509.GeneralName, ...]
    """The requested alternative names that the profile has left out."""
    current: IssuedCertificate | None
    """The certificate that was current when the intent was recorded, which this one replaces."""


def find_or_record_intent(request: EnrollmentRequest) -> Intent | IssuedCertificate:
    """Return an intent to be signed, or the certificate that the same request got before.

    Runs in the caller's transaction. Raises ``ClientRefused``, ``DeviceDenied``,
    ``EnrollmentRefused``, ``QuotaExceeded`` or ``AuthorityUnavailable``.
    """
    judgement = judge(request, timezone.now())
    known, answer = judgement.known, judgement.answer
    if answer is not None and answer.state != State.INTENT:
        return answer
    if answer is not None and known.owner is not None:
        return _take_up(answer, request, judgement.on_file, known.owner, known.current)
    if known.same_request is not None:
        # The idempotency window has passed, or the row can be no answer any more: release the
        # request key and leave the rest of the row alone.
        IssuedCertificate.objects.filter(pk=known.same_request.pk).update(request_key=None)
    intent = planned_intent(judgement)
    _record(intent, judgement)
    return intent


def _take_up(
    row: IssuedCertificate,
    request: EnrollmentRequest,
    on_file: CertificateOnFile | None,
    owner: IssuedCertificate,
    current: IssuedCertificate | None,
) -> Intent:
    """Return an earlier request's intent, to be signed with the names that it was recorded with."""
    if on_file and on_file.row.pk == row.predecessor_id:
        row.predecessor = on_file.row
    else:  # the thing has been given another certificate since then
        on_file = CertificateOnFile.read(row.predecessor) if row.predecessor else None
    subject, san, left_out = _encoded_names(request, on_file)
    return Intent(row, subject, san, owner, left_out, current)


def _encoded_names(
    request: EnrollmentRequest, on_file: CertificateOnFile | None
) -> tuple[x509.Name, x509.SubjectAlternativeName | None, tuple[x509.GeneralName, ...]]:
    """Return subject and SAN of the certificate to be signed, and the names that are left out.

    A renewal has those on file, letter by letter, because the client may have re-encoded them.
    """
    names = request.csr.names
    if on_file is None:
        return request.csr.subject, names.san, names.left_out
    asked, kept = renewed_san(names, on_file.san, request.profile.rules.own_names)
    return on_file.subject, kept, asked.left_out


def planned_intent(judgement: Judgement) -> Intent:
    """Return what is to be signed for a request that was judged. Nothing is written.

    A name or key that has no owner yet becomes the new row's. Raises ``AuthorityUnavailable``.
    """
    request, known, on_file = judgement.request, judgement.known, judgement.on_file
    csr, profile = request.csr, request.profile.row
    subject, san, left_out = _encoded_names(request, on_file)
    row = new_intent(
        csr,
        request.profile.authority,
        subject=subject,
        common_name=on_file.row.common_name if on_file else csr.common_name,
        san=san,
        validity=datetime.timedelta(days=profile.validity_days),
        now=judgement.now,
        device_serial=judgement.device_serial,
    )
    row.operation = request.operation
    row.profile = profile
    row.predecessor = on_file.row if on_file else None
    takes_name = judgement.takes_name
    if takes_name:
        row.new_name_of = request.client.signed_sha256
        row.name_owner = request.name_folded
        row.holder_fingerprint = request.client.fingerprint
        row.holder_signed_sha256 = request.client.signed_sha256
        row.holder_name_sha256 = request.client.name_sha256
    row.key_owner = csr.key_sha256 if profile.is_key_unique and known.key_owner is None else None
    row.request_key = request.idempotency_key
    row.client_fingerprint = request.client.fingerprint
    row.client_signed_sha256 = request.client.signed_sha256
    row.client_subject = request.client.subject[:1000]
    row.source_ip = request.source_ip
    row.request_id = request.request_id
    row.tenant_id = request.tenant_id
    holder = row if takes_name or known.owner is None else known.owner
    return Intent(row, subject, san, holder, left_out, known.current)


def _record(intent: Intent, judgement: Judgement) -> None:
    """Write the intent, and on the audit trail what it says and whose name it takes over."""
    row, request, rebound = intent.row, judgement.request, judgement.rebound
    if rebound is not None:  # before the new row: the column is unique
        IssuedCertificate.objects.filter(pk=rebound.pk).update(name_owner=None)
    hot_path_sql.insert(row)
    audit_trail.record(
        "intent",
        actor=request.actor,
        target=f"certificate:{row.serial_number}",
        after={
            "name": row.common_name,
            "operation": row.operation,
            "profile": str(row.profile),
            **({"san_left_out": name_texts(intent.left_out)} if intent.left_out else {}),
        },
    )
    if rebound is not None:
        audit_trail.record(
            "rebind",
            actor=request.actor,
            target=f"thing:{row.common_name}",
            before={"client": rebound.holder_fingerprint or rebound.client_fingerprint},
            after={"client": request.client.fingerprint, "profile": str(row.profile)},
        )
