"""Taking over an installation of the CDK sample, by the names in its configuration file.

Nothing is changed in AWS. The contents of its secrets and of AWS IoT are recorded here, so that the
same CAs continue to sign. The report says what has to change in AWS, which other commands do.
"""

from cryptography import x509

from iotprov.adoption.documents import Kind, adopt_document
from iotprov.adoption.lines import Line, State
from iotprov.authorities import iot_authorities
from iotprov.authorities.ca_registration import desired_registration, record_registration
from iotprov.authorities.registration import differences
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
"""The signer's alias if the configuration, like the sample's, names none of its own."""


def import_installation(*, actor: Actor, is_dry_run: bool) -> list[Line]:
    """Record the installation, and return a line for each part of it.

    A second run finds the same and adopts nothing twice. With ``is_dry_run`` nothing is written.
    A failure is a line, and does not stop the rest.
    """
    # Step 1: the CAs in Secrets Manager.
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
                "The configuration names a truststore. bootstrap_cas takes every CA from it.",
            )
        )

    # Step 2: the other secrets, and what AWS IoT has at each target.
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
        "Its domain, truststore bucket and functions serve the devices until this server is "
        "deployed. Delete the stack only when nothing uses it, and make sure that it does not "
        "delete the secrets, because the keys of the CAs stay in them.",
    ),
)


def _adopt_authority(
    purpose: Purpose, configured_signer: str, *, actor: Actor, is_dry_run: bool
) -> tuple[x509.Certificate | None, Line]:
    """Adopt the CA in the secrets. Return its certificate, if there is one, and the line."""
    # Step 1: the names of the secret and of the setting.
    settings = pki_settings()
    what = f"{purpose} CA"
    name, setting = (
        (settings.device_ca.certificate_secret_name, setting_name("device_ca.signer"))
        if purpose == Purpose.DEVICE
        else (settings.client_ca.secret_name, setting_name("client_ca.signer"))
    )

    # Step 2: the CA in the secrets, compared with the record.
    try:
        alias = _alias(configured_signer)
        stored = existing_authority(purpose, alias)
        if stored is None or not stored.certificates:
            return None, Line(
                what,
                name,
                State.MISSING,
                "There is no CA in it (no secret, or a placeholder). bootstrap_cas makes or "
                "imports one, as the configuration says.",
            )
        certificate = stored.certificates[0]
        summary = (
            f"{name_text(certificate.subject)}, {key_algorithm_name(certificate.public_key())}, "
            f"until {certificate.not_valid_after_utc:%Y-%m-%d}"
        )
        known = authority_with_certificate(certificate)
        if known is not None:
            return certificate, Line(what, name, State.FOUND, f"{summary}, on record as {known}.")
        existing = CertificateAuthority.objects.issuing().filter(purpose=purpose).first()
        if existing is not None:
            return certificate, Line(
                what,
                name,
                State.DIFFERS,
                f"{summary}. Another CA is on record, {existing}. Set {setting} to {alias} and run "
                "bootstrap_cas --force, so that this CA succeeds it.",
            )
        if is_dry_run:
            return certificate, Line(what, name, State.FOUND, f"{summary}, would be adopted.")

        # Step 3: record it.
        done = adopt(purpose, stored, alias, None, actor=actor, force=False)
    except RemoteFailure as failure:
        return None, Line(what, name, State.FAILED, str(failure))
    except OperatorError as error:
        return None, Line(what, name, State.DIFFERS, str(error))
    return certificate, Line(what, name, State.ADOPTED, f"{summary}, as {done}.")


def _alias(configured: str) -> str:
    """Return the alias of the signer for the secrets. Raises ``OperatorError`` if there is none."""
    is_secrets_manager = isinstance(get_signer(configured), SecretsManagerSigner)
    return configured if is_secrets_manager else SECRETS_MANAGER


def _other_secrets() -> list[Line]:
    """Return lines for the secrets that are not read into the record."""
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
        return Line(
            what, name, State.MISSING, "There is no secret, or a placeholder. Nothing needs it."
        )
    return Line(what, name, State.FOUND, "It stays as it is, and is read by its name.")


def _adopt_registration(
    certificate: x509.Certificate, target: IoTTarget, *, actor: Actor, is_dry_run: bool
) -> Line:
    what, name = f"registered CA at {target.name}", name_text(certificate.subject)
    ca = authority_with_certificate(certificate)
    row = CARegistration.objects.filter(ca=ca, target=target.name).first() if ca else None
    known_id = row.certificate_id if row else ""
    try:
        registered = iot_authorities.find_registered(certificate, target, known_id=known_id).found
    except RemoteFailure as failure:
        return Line(what, name, State.FAILED, str(failure))
    if registered is None:
        return Line(what, name, State.MISSING, "AWS IoT does not know it. Run register_ca.")
    state, summary = State.FOUND, f"Id {registered.certificate_id}, {registered.status}."
    if ca is not None and not is_dry_run:
        record_registration(ca, target, registered, note=row.note if row else "", actor=actor)
        state = State.FOUND if known_id == registered.certificate_id else State.ADOPTED
    changes = differences(registered, desired_registration(ca))
    if changes:
        would = ", ".join(map(str, changes))
        return Line(what, name, State.DIFFERS, f"{summary} register_ca would change {would}.")
    return Line(what, name, state, summary)


def _names_line() -> Line:
    """Return the line on whether devices of the old installation can renew under their names."""
    profile = CertificateProfile.objects.filter(active_label="").first()
    plan = pki_settings().profile
    rule = profile.identity_rule if profile else plan.identity_rule
    can_adopt = profile.can_adopt_names if profile else plan.can_adopt_names
    what, name = "devices' names", f"identity rule {rule}"
    if can_adopt or rule != IdentityRule.FIRST_USE:
        return Line(what, name, State.FOUND, "Devices of the old installation can renew.")
    advice = (
        "Run profile_set default can_adopt_names=true --reason migration."
        if profile
        else f"Set {setting_name('profile.can_adopt_names')} to true before bootstrap_cas."
    )
    return Line(
        what,
        name,
        State.MANUAL,
        "Names of the old installation have no owner on record, so their devices cannot renew. "
        f"{advice} Set it to false when the fleet has renewed once.",
    )
