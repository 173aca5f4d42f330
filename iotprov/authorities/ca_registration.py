"""Registration of device CAs in AWS IoT, for the command and for the admin site.

The desired registration follows from the CA's status. A retiring CA stays registered, with auto
registration on, because devices that enrolled just before its successor came may not have connected
yet. A distrusted or retired CA becomes INACTIVE, so that AWS IoT accepts no new device of it
(``iotprov.provisioning.ca_withdrawal``).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.x509.oid import SignatureAlgorithmOID
from django.utils import timezone

from iotprov.authorities import iot_authorities
from iotprov.authorities.registration import (
    DesiredRegistration,
    Difference,
    RegisteredCA,
    differences,
)
from iotprov.authorities.same_subject_limit import limit_error, limit_note, namesakes_on_record
from iotprov.authorities.verification import verification_certificate
from iotprov.client import is_code
from iotprov.conf import IoTTarget, iot_settings
from iotprov.models import CARegistration
from iotprov.ownership import refuse_resource_of_another
from pki.authorities.ca_certificates import check_ca_certificate
from pki.csr.key_algorithms import EC_KEYS
from pki.csr.public_keys import key_algorithm_name
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError, RemoteFailure
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction

logger = logging.getLogger(__name__)

State = CARegistration.State

# https://docs.aws.amazon.com/iot/latest/developerguide/x509-client-certs.html
_SIGNATURES = frozenset(
    {
        SignatureAlgorithmOID.RSA_WITH_SHA256,
        SignatureAlgorithmOID.RSA_WITH_SHA384,
        SignatureAlgorithmOID.RSA_WITH_SHA512,
        SignatureAlgorithmOID.RSASSA_PSS,
        SignatureAlgorithmOID.ECDSA_WITH_SHA256,
        SignatureAlgorithmOID.ECDSA_WITH_SHA384,
        SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        SignatureAlgorithmOID.DSA_WITH_SHA256,
    }
)
_CURVES = frozenset(EC_KEYS)
_RSA_BITS = 2048

_FACTS = (
    "certificate_id",
    "arn",
    "status",
    "mode",
    "is_auto_registration_on",
    "template_name",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes that registering a CA at a target would make."""

    ca: CertificateAuthority
    target: IoTTarget
    desired: DesiredRegistration
    found: RegisteredCA | None
    changes: tuple[Difference, ...]
    namesakes: frozenset[str]
    """The ids of other CAs with the same subject there, by the record or by AWS."""

    def __str__(self) -> str:
        if self.found is None:
            return f"would be registered, {_as_text(self.desired)}"
        if self.changes:
            return f"would be changed: {', '.join(map(str, self.changes))}"
        return f"is registered as it should be ({self.found.certificate_id})"


def register_everywhere(
    ca: CertificateAuthority, *, actor: Actor, targets: Iterable[IoTTarget] | None = None
) -> list[CARegistration]:
    """Register ``ca`` at each target, by default at all of the configuration.

    A failure is recorded in its target's row and stops no other target. Raises ``OperatorError``
    for a CA that AWS IoT takes nowhere.
    """
    chosen = iot_settings().targets if targets is None else targets
    return [register_ca(ca, target, actor=actor) for target in chosen]


def register_ca(ca: CertificateAuthority, target: IoTTarget, *, actor: Actor) -> CARegistration:
    """Register ``ca`` at ``target``, or make the existing registration as desired.

    A repetition changes nothing. After a failure at the target the returned row has the state
    ``failed`` and the error. Raises ``OperatorError`` for a CA that AWS IoT does not take.
    """
    check_registrable(ca)
    try:
        plan = plan_registration(ca, target)
        registered = _carry_out(plan)
    except OperatorError as error:
        logger.warning("registering %s at %s failed: %s", ca, target.name, error)
        return _record_failure(ca, target, str(error))
    return record_registration(ca, target, registered, note=_note(plan, registered), actor=actor)


def plan_registration(ca: CertificateAuthority, target: IoTTarget) -> Plan:
    """Return what ``register_ca`` would do. Changes nothing. Raises ``OperatorError``."""
    check_registrable(ca)
    desired = desired_registration(ca)
    row = _row(ca, target)
    search = iot_authorities.find_registered(ca.certificate, target, known_id=row.certificate_id)
    found = search.found
    changes = differences(found, desired) if found is not None else ()
    if found is not None and changes:
        refuse_registration_of_another(ca, target, found)
    if desired.is_jitp_on and (found is None or changes):
        iot_authorities.check_template(desired.template_name, target)
    on_record = namesakes_on_record(ca, target).values_list("certificate_id", flat=True)
    return Plan(ca, target, desired, found, changes, search.namesakes.union(on_record))


def refuse_registration_of_another(
    ca: CertificateAuthority, target: IoTTarget, found: RegisteredCA
) -> None:
    """Raise ``OperatorError`` if another project registered the CA, before it is changed.

    That project's template makes its devices things, and would be replaced (threat T60).
    """
    refuse_resource_of_another(
        target,
        f"The registration of {ca} ({found.certificate_id})",
        found.arn,
        "AWS IoT holds a CA once in a region of an account. Let this project have a CA of its own, "
        "or another region.",
    )


def desired_registration(ca: CertificateAuthority | None) -> DesiredRegistration:
    """Return how ``ca`` should be registered, by its status and the configuration.

    ``None`` stands for an active CA that is not on record yet.
    """
    chosen = iot_settings()
    is_trusted = ca is None or ca.is_trusted
    return DesiredRegistration(
        status="ACTIVE" if is_trusted else "INACTIVE",
        mode=chosen.ca_certificate_mode,
        template_name=chosen.template_name,
        is_jitp_on=chosen.configure_jitp and is_trusted,
    )


def check_registrable(ca: CertificateAuthority) -> None:
    """Raise ``OperatorError`` for a CA that is not for devices, or that AWS IoT does not take."""
    if ca.purpose != CertificateAuthority.Purpose.DEVICE:
        raise OperatorError(
            f"{ca} is a client CA, whose certificates authenticate clients of this server. "
            "Register a device CA, which signs the certificates that devices connect with."
        )
    certificate = ca.certificate
    check_ca_certificate(certificate)
    algorithm = key_algorithm_name(certificate.public_key())
    is_strong_rsa = (
        algorithm.startswith("rsa-") and int(algorithm.removeprefix("rsa-")) >= _RSA_BITS
    )
    if not is_strong_rsa and algorithm not in _CURVES:
        raise OperatorError(
            f"The key of {ca} is {algorithm}, which AWS IoT does not take. Use a CA with an RSA "
            f"key of {_RSA_BITS} bits or more, or an EC key on P-256, P-384 or P-521."
        )
    if certificate.version is not x509.Version.v3:
        raise OperatorError(
            f"The certificate of {ca} is of X.509 {certificate.version.name}, and AWS IoT takes "
            "v3. Have it issued again."
        )
    if certificate.signature_algorithm_oid not in _SIGNATURES:
        raise OperatorError(
            f"The certificate of {ca} is signed in a way that AWS IoT does not take "
            f"({certificate.signature_algorithm_oid.dotted_string}). Have it signed with RSA or "
            "ECDSA, and SHA-256, SHA-384 or SHA-512."
        )


def record_registration(
    ca: CertificateAuthority,
    target: IoTTarget,
    registered: RegisteredCA,
    *,
    note: str,
    actor: Actor,
) -> CARegistration:
    """Record how ``ca`` is registered at ``target``, with an audit row if that is new."""

    def save() -> CARegistration:
        row = _row(ca, target)
        before = _facts(row)
        row.state = State.REGISTERED
        row.certificate_id = registered.certificate_id
        row.arn = registered.arn
        row.status = registered.status
        row.mode = registered.mode or row.mode
        row.is_auto_registration_on = registered.is_auto_registration_on
        row.template_name = registered.template_name
        row.error = ""
        row.note = note[:1000]
        row.checked_at = timezone.now()
        row.save()
        after = _facts(row)
        if after != before:
            audit_trail.record(
                "register-ca", actor=actor, target=f"ca:{ca.name}", before=before, after=after
            )
        return row

    return in_write_transaction(save)


def _carry_out(plan: Plan) -> RegisteredCA:
    ca, target, desired = plan.ca, plan.target, plan.desired
    if plan.found is not None:
        return iot_authorities.update(plan.found, desired, target)
    if desired.status != "ACTIVE":
        raise OperatorError(
            f"{ca} is not trusted any more, and {target.name} does not know it. Leave it so."
        )
    verification = None
    if desired.mode == "DEFAULT":
        code = iot_authorities.registration_code(target)
        verification = verification_certificate(ca, code)
    try:
        registered = iot_authorities.register(
            ca.certificate, desired, target, verification=verification, tags=iot_settings().tags
        )
    except RemoteFailure as failure:
        if is_code(failure, "LimitExceededException"):
            raise OperatorError(f"{failure.call} failed. {limit_error(ca, target)}") from failure
        raise
    # After a lost answer, AWS may have the CA already, with other properties.
    if differences(registered, desired):
        refuse_registration_of_another(ca, target, registered)
    return iot_authorities.update(registered, desired, target)


def _note(plan: Plan, registered: RegisteredCA) -> str:
    """Return what the operator should know about the registration, or ""."""
    notes = []
    if registered.mode and registered.mode != plan.desired.mode:
        notes.append(
            f"Its certificate mode is {registered.mode} and the configuration says "
            f"{plan.desired.mode}. AWS cannot change the mode, so it stays."
        )
    count = len(plan.namesakes - {registered.certificate_id}) + 1
    notes.append(limit_note(plan.ca, plan.target, count))
    return " ".join(filter(None, notes))


def _record_failure(ca: CertificateAuthority, target: IoTTarget, sentence: str) -> CARegistration:
    """Record the failure. The other fields stay, because the CA may be registered all the same."""

    def save() -> CARegistration:
        row = _row(ca, target)
        row.state = State.FAILED
        row.error = sentence[:1000]
        row.checked_at = timezone.now()
        row.save()
        return row

    return in_write_transaction(save)


def _row(ca: CertificateAuthority, target: IoTTarget) -> CARegistration:
    row = CARegistration.objects.filter(ca=ca, target=target.name).first()
    return row or CARegistration(ca=ca, target=target.name)


def _facts(row: CARegistration) -> dict[str, Any]:
    return {"target": row.target} | {name: getattr(row, name) for name in _FACTS}


def _as_text(desired: DesiredRegistration) -> str:
    return (
        f"{desired.mode}, {f'JITP by {desired.template_name}' if desired.is_jitp_on else 'no JITP'}"
    )
