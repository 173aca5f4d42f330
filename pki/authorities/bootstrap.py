"""Make or import the CAs that the configuration asks for. A CA that is on record stays as it is."""

import datetime
from pathlib import Path

from cryptography import x509

from pki.authorities.authority_rows import free_name
from pki.authorities.ca_certificates import check_ca_certificate
from pki.authorities.create import create_authority
from pki.authorities.existing import adopt, another_is_on_record, existing_authority
from pki.authorities.import_ca import import_authority
from pki.authorities.pem_files import read_certificates, read_private_key
from pki.authorities.succeed import make_successor
from pki.authorities.test_client import make_test_client
from pki.conf import ClientCASettings, DeviceCASettings, pki_settings, setting_name
from pki.models import CertificateAuthority, CertificateProfile
from pki.models.profile import EVERY_CLIENT_CA
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor
from pki.record.find import authority_with_certificate
from pki.record.profile_versions import add_profile
from pki.record.transactions import in_write_transaction
from pki.signers import ExistingAuthority, KeySigner, get_signer

Purpose = CertificateAuthority.Purpose


def bootstrap_cas(*, actor: Actor, force: bool = False) -> list[str]:
    """Make what the configuration asks for and is not there yet. Return a line for each step.

    ``force`` makes successors of the CAs on record. Nothing is ever overwritten. Raises
    ``OperatorError``. What was done before it stays, and the next run goes on from there.
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
    # Step 1: a CA that was made elsewhere goes first. It is in a file, or in a PKI outside.
    source, certificates = _device_ca_from_elsewhere(plan, existing, force=force)
    if certificates:
        return [_import_device_ca(plan, source, certificates, existing, actor=actor, force=force)]
    # Step 2: a CA whose key the signer has, of the CDK sample or of a run that was cut off.
    found = existing_authority(Purpose.DEVICE, plan.signer)
    adopted = adopt(Purpose.DEVICE, found, plan.signer, existing, actor=actor, force=force)
    if adopted is not None:
        return [f"device CA {adopted}"]
    # Step 3: a new CA, or a successor.
    if existing is None and not plan.generate_certificate:
        raise OperatorError(
            "There is no device CA, and none may be made "
            f"({setting_name('device_ca.generate_certificate')} is false). Set "
            f"{setting_name('device_ca.certificate_path')} to your CA's certificate, or "
            f"{setting_name('device_ca.generate_certificate')} to true, or "
            f"{setting_name('device_ca.signer')} to a signer that has a CA."
        )
    if existing is None:
        ca = create_authority(
            Purpose.DEVICE,
            free_name("device-ca"),
            common_name=plan.subject,
            key_algorithm=plan.key_algorithm,
            validity=_years(plan.validity_years),
            signer=plan.signer,
            actor=actor,
            key_reference=_unused_key(found),
        )
        return [f"device CA {ca}: made, {ca.key_algorithm}, until {ca.not_after:%Y-%m-%d}"]
    if force:
        ca = make_successor(existing, actor=actor, reason="bootstrap_cas --force")
        return [f"device CA {ca}: made, succeeds {existing}, which stays trusted"]
    return [f"device CA {existing}: on record, left as it is"]


def _device_ca_from_elsewhere(
    plan: DeviceCASettings, existing: CertificateAuthority | None, *, force: bool
) -> tuple[str, list[x509.Certificate]]:
    """Return the device CA of a file or a PKI outside, and its place. It may have no certificates.

    A file goes before the signer. A signer whose CA is on record is not asked again, so that a
    second run works without the network.
    """
    if plan.certificate_path is not None:
        return str(plan.certificate_path), read_certificates(plan.certificate_path)
    signer = get_signer(plan.signer)
    is_known = existing is not None and existing.signer == plan.signer and not force
    if isinstance(signer, KeySigner) or is_known:
        return "", []
    found = signer.existing_authority(Purpose.DEVICE)
    return f"the signer {plan.signer!r}", list(found.certificates) if found else []


def _import_device_ca(
    plan: DeviceCASettings,
    source: str,
    certificates: list[x509.Certificate],
    existing: CertificateAuthority | None,
    *,
    actor: Actor,
    force: bool,
) -> str:
    known = authority_with_certificate(certificates[0])
    if known is not None:
        return f"device CA {known}: on record, left as it is"
    if existing is not None and not force:
        raise another_is_on_record(existing, source)
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
    return f"device CA {ca}: imported, {_how_it_signs(ca, key_was_given=key is not None)}"


def _bootstrap_client_cas(plan: ClientCASettings, *, actor: Actor, force: bool) -> list[str]:
    if plan.truststore_path is not None:
        return _import_truststore(plan.truststore_path, actor)
    # A CA that is only trusted, such as one that was imported on a page, signs for no test client.
    existing = CertificateAuthority.objects.client().issuing().exclude(signer="").first()
    found = existing_authority(Purpose.CLIENT, plan.signer)
    adopted = adopt(Purpose.CLIENT, found, plan.signer, existing, actor=actor, force=force)
    if adopted is not None:
        return [f"client CA {adopted}"]
    if existing is None:
        ca = create_authority(
            Purpose.CLIENT,
            free_name("client-ca"),
            common_name=plan.subject,
            key_algorithm=plan.key_algorithm,
            validity=_years(plan.validity_years),
            signer=plan.signer,
            actor=actor,
            key_reference=_unused_key(found),
        )
        made = f"client CA {ca}: made, {ca.key_algorithm}, until {ca.not_after:%Y-%m-%d}"
        return [made, *_profiles_to_name_it(ca)]
    if force:
        ca = make_successor(existing, actor=actor, reason="bootstrap_cas --force")
        return [f"client CA {ca}: made, succeeds {existing}, which stays trusted"]
    return [f"client CA {existing}: on record, left as it is"]


def _import_truststore(path: Path, actor: Actor) -> list[str]:
    """Import every CA of the customer's file. Each may sign clients, and is a row of its own."""
    certificates = read_certificates(path)
    for certificate in certificates:  # all are checked first: half a truststore locks clients out
        if authority_with_certificate(certificate) is None:
            check_ca_certificate(certificate)
    lines = []
    for certificate in certificates:
        known = authority_with_certificate(certificate)
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
        lines += _profiles_to_name_it(ca)
    return lines


def _profiles_to_name_it(ca: CertificateAuthority) -> list[str]:
    """Return a line for each profile in force that does not accept the clients of a new CA."""
    others = [
        profile
        for profile in CertificateProfile.objects.exclude(active_label=None)
        if not {ca.name, EVERY_CLIENT_CA} & {*profile.client_cas}
    ]
    return [
        f"profile {profile}: does not accept the clients of {ca} yet. To accept them: "
        f"manage.py profile_set {profile.name} "
        f"client_cas={','.join([*profile.client_cas, ca.name])} --reason ..."
        for profile in others
    ]


def _bootstrap_profile(actor: Actor) -> list[str]:
    existing = CertificateProfile.objects.filter(active_label="").first()
    if existing is not None:
        return [f"profile {existing}: on record, left as it is"]
    plan = pki_settings().profile
    ca = CertificateAuthority.objects.device().issuing().first()
    if ca is None:
        raise OperatorError("There is no device CA that can issue. Look at the status of the CAs.")
    profile = CertificateProfile(
        name="default",
        ca=ca,
        client_cas=_client_ca_names(),
        validity_days=plan.validity_days,
        overlap_days=min(CertificateProfile().overlap_days, plan.validity_days),
        identity_rule=plan.identity_rule,
        identity_pattern=plan.identity_pattern,
        is_serial_number_required=plan.is_serial_number_required,
        can_adopt_names=plan.can_adopt_names,
        pop_linking=plan.pop_linking,
        iot_provisioning=plan.iot_provisioning,
    )
    in_write_transaction(lambda: add_profile(profile, actor=actor))
    return [f"profile {profile}: made, {profile.validity_days} days, from {ca}"]


def _unused_key(found: ExistingAuthority | None) -> str:
    """Return the key that a run left behind before it had a certificate, or "".

    A key with a certificate is that of a CA on record, which is distrusted or retired by now.
    """
    return found.key_reference if found and not found.certificates else ""


def _client_ca_names() -> list[str]:
    """Return the client CAs that the configuration asked for, whose clients the profile accepts."""
    trusted = CertificateAuthority.objects.client().trusted().order_by("created_at", "name")
    return list(trusted.values_list("name", flat=True))


def _how_it_signs(ca: CertificateAuthority, *, key_was_given: bool) -> str:
    if isinstance(get_signer(ca.signer), KeySigner):
        if not key_was_given:
            return f"with the key that the signer {ca.signer!r} has"
        return f"its key is with the signer {ca.signer!r} now; keep the original somewhere safe"
    return f"signed by the external PKI through the signer {ca.signer!r}"


def _years(count: int) -> datetime.timedelta:
    return datetime.timedelta(days=365 * count)
