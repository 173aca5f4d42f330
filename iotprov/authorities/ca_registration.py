"""Registering device CAs in AWS IoT: the one way in, for the command and for the admin.

What is wanted follows the CA's status. A retiring CA stays registered, and auto registration stays
on: devices that enrolled just before its successor came may yet have to connect for the first time,
and the CA signs nothing new. A revoked CA becomes INACTIVE, which takes in no further device;
devices that AWS knows already are cut off one by one, when their certificates are revoked.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.x509.oid import SignatureAlgorithmOID
from django.utils import timezone

from iotprov.authorities import iot_authorities as ca_registry
from iotprov.authorities.iot_authorities import DesiredRegistration, Difference, RegisteredCA
from iotprov.authorities.same_subject_limit import little_room, namesakes_on_record, no_room
from iotprov.authorities.verification import verification_certificate
from iotprov.client import is_code
from iotprov.conf import IoTTarget, iot_settings
from iotprov.models import CARegistration
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
    """What registering a CA at a target would do."""

    ca: CertificateAuthority
    target: IoTTarget
    wanted: DesiredRegistration
    found: RegisteredCA | None
    changes: tuple[Difference, ...]
    namesakes: frozenset[str]
    """The ids of other CAs with the same subject there, on record or seen."""

    def __str__(self) -> str:
        if self.found is None:
            return f"would be registered, {_manner(self.wanted)}"
        if self.changes:
            return f"would be changed: {', '.join(map(str, self.changes))}"
        return f"is registered as it should be ({self.found.certificate_id})"


def register_everywhere(
    ca: CertificateAuthority, *, actor: Actor, targets: Iterable[IoTTarget] | None = None
) -> list[CARegistration]:
    """Register ``ca`` at each target; by default, at all that are configured.

    A failure stays with its target's row, and the others go on. Raises ``OperatorError`` for a CA
    that AWS IoT doesn't take anywhere.
    """
    chosen = iot_settings().targets if targets is None else targets
    return [register_ca(ca, target, actor=actor) for target in chosen]


def register_ca(ca: CertificateAuthority, target: IoTTarget, *, actor: Actor) -> CARegistration:
    """Make AWS IoT at ``target`` hold ``ca`` as it should; one that is there is found and reused.

    Doing it again changes nothing. What fails at the target is on record in the row that is
    returned: state ``failed`` and a sentence. Raises ``OperatorError`` for a CA that AWS IoT
    doesn't take.
    """
    check_registrable(ca)
    try:
        plan = plan_registration(ca, target)
        held = _carry_out(plan)
    except OperatorError as error:
        logger.warning("registering %s at %s failed: %s", ca, target.name, error)
        return _record_failure(ca, target, str(error))
    return record_registration(ca, target, held, note=_note(plan, held), actor=actor)


def plan_registration(ca: CertificateAuthority, target: IoTTarget) -> Plan:
    """What ``register_ca`` would do. Changes nothing; raises ``OperatorError``."""
    check_registrable(ca)
    wanted = desired_registration(ca)
    row = _row(ca, target)
    search = ca_registry.find_registered(ca.certificate, target, known_id=row.certificate_id)
    found = search.found
    changes = ca_registry.differences(found, wanted) if found is not None else ()
    if wanted.is_jitp_on and (found is None or changes):
        ca_registry.check_template(wanted.template_name, target)
    on_record = namesakes_on_record(ca, target).values_list("certificate_id", flat=True)
    return Plan(ca, target, wanted, found, changes, search.namesakes.union(on_record))


def desired_registration(ca: CertificateAuthority | None) -> DesiredRegistration:
    """What every target should hold of ``ca``, by its status and the configuration.

    ``None`` is an active CA that isn't on record yet.
    """
    chosen = iot_settings()
    is_trusted = ca is None or ca.status != CertificateAuthority.Status.REVOKED
    return DesiredRegistration(
        status="ACTIVE" if is_trusted else "INACTIVE",
        mode=chosen.ca_certificate_mode,
        template_name=chosen.template_name,
        is_jitp_on=chosen.configure_jitp and is_trusted,
    )


def check_registrable(ca: CertificateAuthority) -> None:
    """Raise ``OperatorError`` for a CA that isn't for devices, or whose kind AWS IoT refuses."""
    if ca.purpose != CertificateAuthority.Purpose.DEVICE:
        raise OperatorError(
            f"{ca} says who may enroll here (client CA): register a device CA in AWS IoT, "
            "which signs what devices connect with"
        )
    certificate = ca.certificate
    check_ca_certificate(certificate)
    algorithm = key_algorithm_name(certificate.public_key())
    is_strong_rsa = (
        algorithm.startswith("rsa-") and int(algorithm.removeprefix("rsa-")) >= _RSA_BITS
    )
    if not is_strong_rsa and algorithm not in _CURVES:
        raise OperatorError(
            f"the key of {ca} is {algorithm}, which AWS IoT doesn't take: use a CA with an RSA key "
            f"of {_RSA_BITS} bits or more, or an EC key on P-256, P-384 or P-521"
        )
    if certificate.version is not x509.Version.v3:
        raise OperatorError(
            f"the certificate of {ca} is of X.509 {certificate.version.name}, and AWS IoT takes "
            "v3: have it issued again"
        )
    if certificate.signature_algorithm_oid not in _SIGNATURES:
        raise OperatorError(
            f"the certificate of {ca} is signed in a way that AWS IoT doesn't take "
            f"({certificate.signature_algorithm_oid.dotted_string}): have it signed with RSA or "
            "ECDSA, and SHA-256, SHA-384 or SHA-512"
        )


def record_registration(
    ca: CertificateAuthority, target: IoTTarget, held: RegisteredCA, *, note: str, actor: Actor
) -> CARegistration:
    """Put on record what ``target`` holds of ``ca``, with an audit row when that is news."""

    def save() -> CARegistration:
        row = _row(ca, target)
        before = _facts(row)
        row.state = State.REGISTERED
        row.certificate_id = held.certificate_id
        row.arn = held.arn
        row.status = held.status
        row.mode = held.mode or row.mode
        row.is_auto_registration_on = held.is_auto_registration_on
        row.template_name = held.template_name
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
    ca, target, wanted = plan.ca, plan.target, plan.wanted
    if plan.found is not None:
        return ca_registry.update(plan.found, wanted, target)
    if wanted.status != "ACTIVE":
        raise OperatorError(f"{ca} is revoked, and {target.name} doesn't know it: leave it so")
    verification = None
    if wanted.mode == "DEFAULT":
        code = ca_registry.registration_code(target)
        verification = verification_certificate(ca, code)
    try:
        held = ca_registry.register(
            ca.certificate, wanted, target, verification=verification, tags=iot_settings().tags
        )
    except RemoteFailure as failure:
        if is_code(failure, "LimitExceededException"):
            raise OperatorError(f"{failure.call} failed: {no_room(ca, target)}") from failure
        raise
    # One that was there already, after an answer that got lost, may have been made otherwise.
    return ca_registry.update(held, wanted, target)


def _note(plan: Plan, held: RegisteredCA) -> str:
    """What the operator should know of a CA that is registered."""
    notes = []
    if held.mode and held.mode != plan.wanted.mode:
        notes.append(
            f"its certificate mode is {held.mode} and the configuration says {plan.wanted.mode}: "
            "AWS can't change that, so it stays"
        )
    count = len(plan.namesakes - {held.certificate_id}) + 1
    notes.append(little_room(plan.ca, plan.target, count))
    return "; ".join(filter(None, notes))


def _record_failure(ca: CertificateAuthority, target: IoTTarget, sentence: str) -> CARegistration:
    """What is known of earlier stays: the CA may well be registered."""

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


def _manner(wanted: DesiredRegistration) -> str:
    return f"{wanted.mode}, {f'JITP by {wanted.template_name}' if wanted.is_jitp_on else 'no JITP'}"
