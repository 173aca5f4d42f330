"""What `bootstrap_cas` would do, by the record and the configuration. No signer is asked."""

from collections.abc import Iterator

from pki.authorities.pem_files import read_certificates
from pki.conf import pki_settings
from pki.models import CertificateAuthority, CertificateProfile
from pki.record.find import authority_with_certificate


def planned_bootstrap(*, force: bool = False) -> list[str]:
    """Return a line for each part. Reads only. Raises ``OperatorError`` for an unreadable file."""
    settings = pki_settings()
    device, client = settings.device_ca, settings.client_ca
    devices = CertificateAuthority.objects.device().issuing().first()
    clients = CertificateAuthority.objects.client().issuing().exclude(signer="").first()
    lines = []
    if device.certificate_path is not None:
        certificate = read_certificates(device.certificate_path)[0]
        known = authority_with_certificate(certificate)
        lines.append(_line("device CA", known, f"would be imported from {device.certificate_path}"))
    else:
        lines.append(_of_signer("device CA", devices, device.signer, force=force))
    if client.truststore_path is not None:
        lines += _of_truststore()
    else:
        lines.append(_of_signer("client CA", clients, client.signer, force=force))
    profile = CertificateProfile.objects.filter(active_label="").first()
    lines.append(_line("profile", profile, "the default one would be made"))
    if client.truststore_path is None:
        lines.append("test client: made if it is not there" + (", once more" if force else ""))
    return [*lines, "nothing was changed (--dry-run)"]


def _of_signer(what: str, known: CertificateAuthority | None, signer: str, *, force: bool) -> str:
    if known is not None and force:
        return f"{what} {known}: a successor would be made, and {known} stays trusted"
    return _line(what, known, f"would be made or found by the signer {signer}")


def _of_truststore() -> Iterator[str]:
    path = pki_settings().client_ca.truststore_path
    for certificate in read_certificates(path) if path is not None else ():
        subject = certificate.subject.rfc4514_string()
        known = authority_with_certificate(certificate)
        yield _line("client CA", known, f"would be imported from the truststore, {subject}")


def _line(what: str, known: object | None, otherwise: str) -> str:
    return f"{what} {known}: on record, left as it is" if known else f"{what}: {otherwise}"
