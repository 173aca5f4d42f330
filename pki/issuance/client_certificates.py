"""Sign certificates of mutual TLS clients with the client CA, for tests and the bench.

In production the customer's own PKI makes them, at the factory.
"""

import datetime
from dataclasses import replace

from django.utils import timezone

from pki.choices import POPLinking, SANRule
from pki.conf import pki_settings, setting_name
from pki.csr.check import CSRRules, ParsedCSR, check_csr
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.san import name_texts
from pki.csr.subjects import SUBJECT_ATTRIBUTES
from pki.denylist.entries import check_denylist
from pki.denylist.identifiers import RequestIdentifiers
from pki.exceptions import CSRRejected, DeviceDenied
from pki.issuance.verified_signing import sign, signing_request
from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.intents import issued_columns, new_intent, void_intents
from pki.record.snapshot import AuthoritySnapshot, current_snapshot
from pki.record.transactions import in_write_transaction

State = IssuedCertificate.State

CLIENT_RULES = CSRRules(
    key_algorithms=frozenset(KEY_ALGORITHMS),
    subject_attributes=frozenset(SUBJECT_ATTRIBUTES),
    san_rule=SANRule.ANY,
    pop_linking=POPLinking.IGNORE,
    thing_name_required=False,
)
"""A client is not a thing, so its common name may be any text."""


def issuing_client_ca() -> AuthoritySnapshot:
    """Return the client CA that signs here.

    Raises ``OperatorError`` when there is none, or its key is not here.
    """
    clients = [
        authority
        for authority in current_snapshot().authorities
        if authority.row.purpose == CertificateAuthority.Purpose.CLIENT
        and authority.row.status == CertificateAuthority.Status.ACTIVE
    ]
    if not clients:
        raise OperatorError("There is no client CA. Run manage.py bootstrap_cas first.")
    for authority in clients:
        if authority.row.can_sign:
            return authority
    raise OperatorError(
        f"The key of the client CA {clients[0].row.name} is not here "
        f"({setting_name('client_ca.truststore_path')}). Have its own PKI sign client certificates."
    )


def sign_client_csr(der: bytes, *, validity: datetime.timedelta, actor: Actor) -> IssuedCertificate:
    """Sign a client's CSR (DER) with the client CA, and record the certificate.

    Raises ``OperatorError`` when the client CA cannot sign here, ``CSRRejected`` for the CSR,
    ``DeviceDenied`` if the denylist names its key, name or serial number, and what
    ``pki.issuance.verified_signing.sign`` raises.
    """
    authority = issuing_client_ca()
    csr = _checked(der)
    identifiers = _identifiers_of(csr)

    def record_intent() -> IssuedCertificate:
        check_denylist(identifiers)
        return _record_intent(csr, authority, validity, actor)

    intent = in_write_transaction(record_intent)
    certificate = sign(
        intent,
        authority,
        signing_request(intent, csr, subject=csr.subject, san=csr.san),
    )

    def record_issued() -> IssuedCertificate:
        check_denylist(identifiers)  # an entry may have come in between
        issued = issued_columns(certificate, timezone.now())
        still_intent = IssuedCertificate.objects.filter(pk=intent.pk, state=State.INTENT)
        if not still_intent.update(**issued):
            raise OperatorError(
                f"The certificate for {intent.common_name} was denied or settled while it was "
                "being signed. Nothing was issued. Sign the CSR again if it should have one."
            )
        for column, value in issued.items():
            setattr(intent, column, value)
        audit_trail.record("issue", actor=actor, target=f"certificate:{intent.serial_number}")
        return intent

    try:
        return in_write_transaction(record_issued)
    except DeviceDenied as denied:
        rows = IssuedCertificate.objects.filter(pk=intent.pk)
        why = f"refused after its signature: {denied.reason.code}"
        in_write_transaction(lambda: void_intents(rows, actor=actor, why=why))
        raise


def check_client_csr(der: bytes) -> ParsedCSR:
    """Return a client's CSR if `sign_client_csr` would sign it now. Raises as that does."""
    issuing_client_ca()
    csr = _checked(der)
    check_denylist(_identifiers_of(csr))
    return csr


def _checked(der: bytes) -> ParsedCSR:
    own_names = frozenset(pki_settings().server_names)
    csr = check_csr(der, replace(CLIENT_RULES, own_names=own_names))
    if csr.names.left_out:
        raise CSRRejected(
            Reason.SAN_NOT_ALLOWED,
            f"The SAN has {', '.join(name_texts(csr.names.left_out))}, which is this server's own "
            "name. Leave it out.",
        )
    return csr


def _identifiers_of(csr: ParsedCSR) -> RequestIdentifiers:
    return RequestIdentifiers(csr.common_name, csr.device_serial, csr.key_sha256)


def _record_intent(
    csr: ParsedCSR, authority: AuthoritySnapshot, validity: datetime.timedelta, actor: Actor
) -> IssuedCertificate:
    row = new_intent(
        csr,
        authority,
        subject=csr.subject,
        common_name=csr.common_name,
        san=csr.san,
        validity=validity,
        now=timezone.now(),
    )
    row.operation = IssuedCertificate.Operation.CLIENT
    row.save(force_insert=True)
    audit_trail.record(
        "intent",
        actor=actor,
        target=f"certificate:{row.serial_number}",
        after={"name": row.common_name, "operation": row.operation},
    )
    return row
