"""From the configuration to CAs that work: made or imported once, left alone ever after."""

import datetime
import secrets
from itertools import count
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from pki.audit import Actor
from pki.authorities import (
    check_ca_certificate,
    create_authority,
    free_name,
    import_authority,
    make_successor,
)
from pki.client_certificates import sign_client_csr
from pki.conf import ClientCAPlan, DeviceCAPlan, pki_settings
from pki.exceptions import OperatorError
from pki.files import replace_file
from pki.keys import generate_private_key
from pki.models import CertificateAuthority, CertificateProfile
from pki.profile_versions import add_profile
from pki.signers import KeySigner, get_signer
from pki.transactions import in_write_transaction

Purpose = CertificateAuthority.Purpose

TEST_CLIENT = "test-client"


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
        lines += _make_test_client(settings.data_dir, settings.client_ca, actor=actor, force=force)
    return lines


def _bootstrap_device_ca(plan: DeviceCAPlan, *, actor: Actor, force: bool) -> list[str]:
    existing = CertificateAuthority.objects.device().issuing().first()
    if plan.certificate_path is not None:
        certificates = read_certificates(plan.certificate_path)
        known = _on_record(certificates[0])
        if known is not None:
            return [f"device CA {known}: on record, left as it is"]
        if existing is not None and not force:
            raise OperatorError(
                f"the device CA {existing} is on record, and {plan.certificate_path} holds "
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
    if existing is None and not plan.is_generated:
        raise OperatorError(
            "there is no device CA, and none may be made (generateIotCaCertificate is false): set "
            "iotCoreCaCertificatePath to your CA's certificate, or generateIotCaCertificate to true"
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
        )
        return [f"device CA {ca}: made, {ca.key_algorithm}, until {ca.not_after:%Y-%m-%d}"]
    if force:
        ca = make_successor(existing, actor=actor, reason="bootstrap_cas --force")
        return [f"device CA {ca}: made, succeeds {existing}, which stays trusted"]
    return [f"device CA {existing}: on record, left as it is"]


def _bootstrap_client_cas(plan: ClientCAPlan, *, actor: Actor, force: bool) -> list[str]:
    if plan.truststore_path is not None:
        return _import_truststore(plan.truststore_path, actor)
    existing = CertificateAuthority.objects.client().issuing().first()
    if existing is None:
        ca = create_authority(
            Purpose.CLIENT,
            "client-ca",
            common_name=plan.common_name,
            key_algorithm=plan.key_algorithm,
            validity=_years(plan.validity_years),
            signer=plan.signer,
            actor=actor,
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
        if _on_record(certificate) is None:
            check_ca_certificate(certificate)
    lines = []
    for certificate in certificates:
        known = _on_record(certificate)
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


def _make_test_client(
    directory: Path, plan: ClientCAPlan, *, actor: Actor, force: bool
) -> list[str]:
    """A first client to try things with: certificate, key, and both as .p12 with a password.

    ``force`` makes another, ``test-client-2`` and so on: the one that is there stays good.
    """
    stem = TEST_CLIENT
    if _is_whole(directory, stem):
        if not force:
            return [f"test client {directory / stem}.pem: there, left as it is"]
        numbered = (f"{TEST_CLIENT}-{number}" for number in count(2))
        stem = next(name for name in numbered if not _is_whole(directory, name))
    pem_path = directory / f"{stem}.pem"
    key = generate_private_key("ec-p256")
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, stem)]))
        .sign(key, SHA256())
    )
    row = sign_client_csr(
        csr.public_bytes(Encoding.DER), validity=_years(plan.client_validity_years), actor=actor
    )
    certificate = row.to_x509()
    password = secrets.token_urlsafe(18)
    replace_file(
        directory / f"{stem}.key",
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        secret=True,
    )
    replace_file(pem_path, certificate.public_bytes(Encoding.PEM))
    replace_file(directory / f"{stem}.p12-password", password.encode() + b"\n", secret=True)
    replace_file(
        directory / f"{stem}.p12",
        pkcs12.serialize_key_and_certificates(
            stem.encode(),
            key,
            certificate,
            [row.ca.certificate],
            BestAvailableEncryption(password.encode()),
        ),
        secret=True,
    )
    return [f"test client {pem_path}: made, with .key and .p12 (password in .p12-password)"]


def _is_whole(directory: Path, stem: str) -> bool:
    """Whether a test client's files are all there; a crash may have left some of them."""
    return all(
        (directory / f"{stem}.{suffix}").exists()
        for suffix in ("key", "pem", "p12-password", "p12")
    )


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


def _on_record(certificate: x509.Certificate) -> CertificateAuthority | None:
    fingerprint = certificate.fingerprint(SHA256()).hex()
    return CertificateAuthority.objects.filter(fingerprint_sha256=fingerprint).first()


def _how_it_signs(ca: CertificateAuthority, *, key_was_given: bool) -> str:
    if isinstance(get_signer(ca.signer), KeySigner):
        if not key_was_given:
            return f"with the key that the signer {ca.signer!r} has"
        return f"its key is with the signer {ca.signer!r} now; keep the original somewhere safe"
    return f"signed by the external PKI through the signer {ca.signer!r}"


def _years(count: int) -> datetime.timedelta:
    return datetime.timedelta(days=365 * count)
