"""Taking over an installation of the CDK sample, by the names in its own configuration file.

Nothing is changed in AWS. What its secrets and AWS IoT hold is put on record here, so that the
same CAs go on signing; what is to be changed there is said, and done by other commands.
"""

from cryptography import x509

from iotprov.adoption.documents import Kind, adopt_document
from iotprov.adoption.lines import Line, State
from iotprov.authorities import iot_authorities as ca_registry
from iotprov.authorities.ca_registration import desired_registration, record_registration
from iotprov.conf import IoTTarget, iot_settings
from iotprov.models import CARegistration
from pki.authorities.existing import adopt, existing_authority
from pki.choices import IdentityRule
from pki.conf import pki_settings, setting_name
from pki.csr.public_keys import key_algorithm_name
from pki.csr.subjects import name_text
from pki.models import CertificateAuthority, CertificateProfile
from pki.operators.errors import OperatorError, RemoteFailure
from pki.record.audit_trail import Actor
from pki.record.find import authority_with_certificate
from pki.signers import get_signer
from pki.signers.secretsmanager.signer import SecretsManagerSigner

Purpose = CertificateAuthority.Purpose

SECRETS_MANAGER = "secretsmanager"
"""The alias where the configuration, as the sample's, names no signer for Secrets Manager."""


def import_installation(*, actor: Actor, is_dry_run: bool) -> list[Line]:
    """Put on record what is there; returns a line for each part of the installation.

    A second run finds the same and adopts nothing twice. With ``is_dry_run`` nothing is written.
    What fails is a line, and the rest goes on.
    """
    settings = pki_settings()
    device, device_line = _adopt_authority(
        Purpose.DEVICE, settings.device_ca.signer, actor=actor, is_dry_run=is_dry_run
    )
    lines = [device_line]
    if settings.client_ca.truststore_path is None:
        _, client_line = _adopt_authority(
            Purpose.CLIENT, settings.client_ca.signer, actor=actor, is_dry_run=is_dry_run
        )
        lines.append(client_line)
    else:
        lines.append(
            Line(
                "client CA",
                settings.client_ca.truststore_path.name,
                State.MANUAL,
                "the configuration names a truststore: bootstrap_cas takes every CA from it",
            )
        )
    lines += _other_secrets()
    for target in iot_settings().targets:
        if device is not None:
            lines.append(_adopt_registration(device, target, actor=actor, is_dry_run=is_dry_run))
        for kind in (Kind.POLICY, Kind.TEMPLATE):
            lines += adopt_document(kind, target, actor=actor, is_dry_run=is_dry_run)
    return [*lines, _names_line(), *_MANUAL]


_MANUAL = (
    Line(
        "API and truststore",
        "the sample's stack",
        State.MANUAL,
        "its domain, truststore bucket and functions serve the devices until this server is "
        "deployed; delete the stack only when nothing uses it, and keep it from deleting the "
        "secrets, for the CAs go on living in them",
    ),
)


def _adopt_authority(
    purpose: Purpose, configured_signer: str, *, actor: Actor, is_dry_run: bool
) -> tuple[x509.Certificate | None, Line]:
    """The CA certificate in the secrets, if there is one, and what became of it."""
    settings = pki_settings()
    what = f"{purpose} CA"
    name, setting = (
        (settings.device_ca.certificate_secret_name, setting_name("device_ca.signer"))
        if purpose == Purpose.DEVICE
        else (settings.client_ca.secret_name, setting_name("client_ca.signer"))
    )
    try:
        alias = _alias(configured_signer)
        kept = existing_authority(purpose, alias)
        if kept is None or not kept.certificates:
            return None, Line(
                what,
                name,
                State.MISSING,
                "there is no CA in it (no secret, or a placeholder): bootstrap_cas makes or "
                "imports one, as the configuration says",
            )
        certificate = kept.certificates[0]
        said = (
            f"{name_text(certificate.subject)}, {key_algorithm_name(certificate.public_key())}, "
            f"until {certificate.not_valid_after_utc:%Y-%m-%d}"
        )
        known = authority_with_certificate(certificate)
        if known is not None:
            return certificate, Line(what, name, State.FOUND, f"{said}, on record as {known}")
        existing = CertificateAuthority.objects.issuing().filter(purpose=purpose).first()
        if existing is not None:
            return certificate, Line(
                what,
                name,
                State.DIFFERS,
                f"{said}; on record is another, {existing}: set {setting} to {alias} and run "
                "bootstrap_cas --force, to let this one succeed it",
            )
        if is_dry_run:
            return certificate, Line(what, name, State.FOUND, f"{said}, would be adopted")
        done = adopt(purpose, kept, alias, None, actor=actor, force=False)
    except RemoteFailure as failure:
        return None, Line(what, name, State.FAILED, str(failure))
    except OperatorError as error:
        return None, Line(what, name, State.DIFFERS, str(error))
    return certificate, Line(what, name, State.ADOPTED, f"{said}, as {done}")


def _alias(configured: str) -> str:
    """The signer for the sample's secrets. Raises ``OperatorError`` when there is none."""
    is_theirs = isinstance(get_signer(configured), SecretsManagerSigner)
    return configured if is_theirs else SECRETS_MANAGER


def _other_secrets() -> list[Line]:
    """Secrets that stay where they are; nothing is taken from them."""
    settings = pki_settings()
    return [
        _secret_line(what, name)
        for what, name in (
            ("first client", settings.client_ca.client_secret_name),
            ("first client, .pfx", settings.client_ca.client_pfx_secret_name),
            ("custom secret", settings.custom_secret_name),
        )
        if name
    ]


def _secret_line(what: str, name: str) -> Line:
    try:
        signer = get_signer(_alias(pki_settings().client_ca.signer))
        is_free = isinstance(signer, SecretsManagerSigner) and signer.is_free(name)
    except RemoteFailure as failure:
        return Line(what, name, State.FAILED, str(failure))
    except OperatorError as error:
        return Line(what, name, State.DIFFERS, str(error))
    if is_free:
        return Line(what, name, State.MISSING, "no secret, or a placeholder: nothing needs it")
    return Line(what, name, State.FOUND, "stays as it is, and is read by its name")


def _adopt_registration(
    certificate: x509.Certificate, target: IoTTarget, *, actor: Actor, is_dry_run: bool
) -> Line:
    what, name = f"registered CA at {target.name}", name_text(certificate.subject)
    ca = authority_with_certificate(certificate)
    row = CARegistration.objects.filter(ca=ca, target=target.name).first() if ca else None
    known_id = row.certificate_id if row else ""
    try:
        held = ca_registry.find_registered(certificate, target, known_id=known_id).found
    except RemoteFailure as failure:
        return Line(what, name, State.FAILED, str(failure))
    if held is None:
        return Line(what, name, State.MISSING, "AWS IoT doesn't know it: run register_ca")
    state, said = State.FOUND, f"id {held.certificate_id}, {held.status}"
    if ca is not None and not is_dry_run:
        record_registration(ca, target, held, note=row.note if row else "", actor=actor)
        state = State.FOUND if known_id == held.certificate_id else State.ADOPTED
    changes = ca_registry.differences(held, desired_registration(ca))
    if changes:
        would = ", ".join(map(str, changes))
        return Line(what, name, State.DIFFERS, f"{said}: register_ca would change {would}")
    return Line(what, name, state, said)


def _names_line() -> Line:
    """Whether devices from before can renew under their names."""
    profile = CertificateProfile.objects.filter(active_label="").first()
    plan = pki_settings().profile
    rule = profile.identity_rule if profile else plan.identity_rule
    can_adopt = profile.can_adopt_names if profile else plan.can_adopt_names
    what, name = "devices' names", f"identity rule {rule}"
    if can_adopt or rule != IdentityRule.FIRST_USE:
        return Line(what, name, State.FOUND, "devices from before can renew")
    how = (
        "run profile_set default can_adopt_names=true --reason migration"
        if profile
        else f"set {setting_name('profile.can_adopt_names')} to true before bootstrap_cas"
    )
    return Line(
        what,
        name,
        State.MANUAL,
        f"names from before are bound to nobody, so their devices couldn't renew: {how}; switch "
        "it off when the fleet has renewed once",
    )
