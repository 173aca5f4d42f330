"""From the configuration to CAs that work: made or imported once, left alone ever after."""

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pki.authorities.existing import adopt, existing_authority, on_record
from pki.authorities.lifecycle import (
    check_ca_certificate,
    create_authority,
    free_name,
    import_authority,
    make_successor,
)
from pki.authorities.test_client import make_test_client
from pki.conf import ClientCASettings, DeviceCASettings, pki_settings, setting_name
from pki.models import CertificateAuthority, CertificateProfile
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.profile_versions import add_profile
from pki.record.transactions import in_write_transaction
from pki.signers import KeySigner, get_signer

Purpose = CertificateAuthority.Purpose


def bootstrap_cas(*, actor: Actor, force: bool = False) -> list[str]:
    """Make what the configuration asks for and isn't there yet; returns a line for each step.

    ``force`` makes successors of what is there. Nothing is ever overwritten. Raises
    ``OperatorError``; what was done before it stays, and the next run goes on from there.
    """
    settings = pki_settings()
    lines = _bootstrap_device_ca(settings.device_ca, actor=actor, force=force)
    lines += _bootstrap_client_cas(settings.client_ca, actor=actor, force=force)
    lines += _bootstrap_profile(actor)
    if settings.client_ca.truststore_path is None:
        lines.append(make_test_client(settings.client_ca, actor=actor, force=force))
    return lines


def _bootstrap_device_ca(plan: DeviceCASettings, *, actor: Actor, force: bool) -> list[str]:
    existing = CertificateAuthority.objects.device().issuing().first()
    source, certificates = _given_device_ca(plan, existing, force=force)
    if certificates:
        known = on_record(certificates[0])
        if known is not None:
            return [f"device CA {known}: on record, left as it is"]
        if existing is not None and not force:
            raise OperatorError(
                f"the device CA {existing} is on record, and {source} holds "
                "another: run bootstrap_cas --force to let that one succeed it"
            )
        key = read_private_key(plan.private_key_path) if plan.private_key_path else None
        ca = import_authority(
            Purpose.DEVICE,
            free_name("device-ca"),
            certificates,
            key=key,
            signer=plan.signer,
            actor=actor,
            successor_of=existing,
        )
        return [f"device CA {ca}: imported, {_how_it_signs(ca, key_was_given=key is not None)}"]
    kept = existing_authority(Purpose.DEVICE, plan.signer)
    adopted = adopt(Purpose.DEVICE, kept, plan.signer, existing, actor=actor, force=force)
    if adopted is not None:
        return [f"device CA {adopted}"]
    if existing is None and not plan.is_generated:
        raise OperatorError(
            "there is no device CA, and none may be made "
            f"({setting_name('device_ca.is_generated')} is false): set "
            f"{setting_name('device_ca.certificate_path')} to your CA's certificate, or "
            f"{setting_name('device_ca.is_generated')} to true, or "
            f"{setting_name('device_ca.signer')} to a signer that has a CA"
        )
    if existing is None:
        ca = create_authority(
            Purpose.DEVICE,
            "device-ca",
            common_name=plan.common_name,
            key_algorithm=plan.key_algorithm,
            validity=_years(plan.validity_years),
            signer=plan.signer,
            actor=actor,
            key_reference=kept.key_reference if kept else "",
        )
        return [f"device CA {ca}: made, {ca.key_algorithm}, until {ca.not_after:%Y-%m-%d}"]
    if force:
        ca = make_successor(existing, actor=actor, reason="bootstrap_cas --force")
        return [f"device CA {ca}: made, succeeds {existing}, which stays trusted"]
    return [f"device CA {existing}: on record, left as it is"]


def _given_device_ca(
    plan: DeviceCASettings, existing: CertificateAuthority | None, *, force: bool
) -> tuple[str, list[x509.Certificate]]:
    """The device CA that was made elsewhere, and where that is; no certificates if there is none.

    A file's contents go before what the signer says. A signer whose CA is on record isn't asked
    again, so that a second run works without the network.
    """
    if plan.certificate_path is not None:
        return str(plan.certificate_path), read_certificates(plan.certificate_path)
    if existing is not None and existing.signer == plan.signer and not force:
        return "", []
    return f"the signer {plan.signer!r}", get_signer(plan.signer).authority_certificates()


def _bootstrap_client_cas(plan: ClientCASettings, *, actor: Actor, force: bool) -> list[str]:
    if plan.truststore_path is not None:
        return _import_truststore(plan.truststore_path, actor)
    existing = CertificateAuthority.objects.client().issuing().first()
    kept = existing_authority(Purpose.CLIENT, plan.signer)
    adopted = adopt(Purpose.CLIENT, kept, plan.signer, existing, actor=actor, force=force)
    if adopted is not None:
        return [f"client CA {adopted}"]
    if existing is None:
        ca = create_authority(
            Purpose.CLIENT,
            "client-ca",
            common_name=plan.common_name,
            key_algorithm=plan.key_algorithm,
            validity=_years(plan.validity_years),
            signer=plan.signer,
            actor=actor,
            key_reference=kept.key_reference if kept else "",
        )
        return [f"client CA {ca}: made, {ca.key_algorithm}, until {ca.not_after:%Y-%m-%d}"]
    if force:
        ca = make_successor(existing, actor=actor, reason="bootstrap_cas --force")
        return [f"client CA {ca}: made, succeeds {existing}, which stays trusted"]
    return [f"client CA {existing}: on record, left as it is"]


def _import_truststore(path: Path, actor: Actor) -> list[str]:
    """Every CA in the customer's file may sign clients; each is a row of its own."""
    certificates = read_certificates(path)
    for certificate in certificates:  # all or none: half a truststore locks clients out
        if on_record(certificate) is None:
            check_ca_certificate(certificate)
    lines = []
    for certificate in certificates:
        known = on_record(certificate)
        if known is not None:
            lines.append(f"client CA {known}: on record, left as it is")
            continue
        ca = import_authority(
            Purpose.CLIENT,
            free_name("client-ca"),
            [certificate],
            key=None,
            signer="",
            actor=actor,
        )
        lines.append(f"client CA {ca}: imported from the truststore, {ca.subject}")
    return lines


def _bootstrap_profile(actor: Actor) -> list[str]:
    existing = CertificateProfile.objects.filter(active_label="").first()
    if existing is not None:
        return [f"profile {existing}: on record, left as it is"]
    plan = pki_settings().profile
    ca = CertificateAuthority.objects.device().issuing().first()
    if ca is None:
        raise OperatorError("there is no device CA that could issue: look at its status")
    profile = CertificateProfile(
        name="default",
        ca=ca,
        validity_days=plan.validity_days,
        identity_rule=plan.identity_rule,
        identity_pattern=plan.identity_pattern,
        is_serial_number_required=plan.is_serial_number_required,
        can_adopt_names=plan.can_adopt_names,
        pop_linking=plan.pop_linking,
        iot_provisioning=plan.iot_provisioning,
    )
    in_write_transaction(lambda: add_profile(profile, actor=actor))
    return [f"profile {profile}: made, {profile.validity_days} days, from {ca}"]


def read_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates in a PEM file. Raises ``OperatorError`` when there are none."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise OperatorError(f"can't read {path}: {error.strerror}") from error
    except ValueError as error:
        raise OperatorError(
            f"{path} holds no certificate that can be read: wanted PEM, which begins with "
            "-----BEGIN CERTIFICATE-----"
        ) from error


def read_private_key(path: Path) -> CertificateIssuerPrivateKeyTypes:
    """The private key in a PEM file. Raises ``OperatorError`` when there is none that can sign."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise OperatorError(f"can't read {path}: {error.strerror}") from error
    except TypeError as error:
        raise OperatorError(
            f"{path} is encrypted: decrypt it for the import (openssl pkey -in ... -out ...); "
            "it is stored encrypted again"
        ) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise OperatorError(
            f"{path} holds no private key that can be read: wanted PEM, which begins with "
            "-----BEGIN PRIVATE KEY-----"
        ) from error
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise OperatorError(f"{path} holds a {type(key).__name__}: wanted an EC or RSA key")
    return key


def _how_it_signs(ca: CertificateAuthority, *, key_was_given: bool) -> str:
    if isinstance(get_signer(ca.signer), KeySigner):
        if not key_was_given:
            return f"with the key that the signer {ca.signer!r} has"
        return f"its key is with the signer {ca.signer!r} now; keep the original somewhere safe"
    return f"signed by the external PKI through the signer {ca.signer!r}"


def _years(count: int) -> datetime.timedelta:
    return datetime.timedelta(days=365 * count)
