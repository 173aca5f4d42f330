"""A first client to try an installation with: its certificate, its key, and both as PKCS #12.

They are stored where the client CA's key is. Where that is Secrets Manager, nothing is written to a
disk, because a Lambda function has none that lasts, and because every copy of a key can be lost.
"""

import datetime
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import NameOID
from django.views.decorators.debug import sensitive_variables

from pki.conf import ClientCASettings, pki_settings
from pki.csr.key_algorithms import KeyAlgorithm
from pki.csr.public_keys import generate_private_key
from pki.encoding.certificates import fingerprint_of, pem_of
from pki.encoding.reading import read_certificate_pem
from pki.issuance.client_certificates import sign_client_csr
from pki.models import IssuedCertificate
from pki.operators.errors import OperatorError
from pki.operators.files import replace_file
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction
from pki.signers import get_signer
from pki.signers.secretsmanager.secret_format import key_pem, load_key, pair
from pki.signers.secretsmanager.signer import SecretsManagerSigner

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12PrivateKeyTypes

TEST_CLIENT = "test-client"
PAIR_DESCRIPTION = "EST server: certificate and private key of a test client"
PFX_DESCRIPTION = "EST server: PKCS #12 file of a test client, without password"
_SUFFIXES = ("key", "pem", "p12-password", "p12")


@dataclass(frozen=True, slots=True)
class _Client:
    """A client certificate with its key, and the certificates of the CAs above it."""

    name: str
    key: CertificateIssuerPrivateKeyTypes
    certificates: tuple[x509.Certificate, ...]

    def pkcs12(self, encryption: KeySerializationEncryption) -> bytes:
        """Return key and certificates in one file (RFC 7292)."""
        own, *above = self.certificates
        return pkcs12.serialize_key_and_certificates(
            self.name.encode(), cast("PKCS12PrivateKeyTypes", self.key), own, above, encryption
        )


def make_test_client(settings: ClientCASettings, *, actor: Actor, force: bool) -> str:
    """Make the client, unless it is there. Return a line that says which.

    ``force`` makes another, ``test-client-2`` and so on. The one that is there stays valid. Raises
    what ``sign_client_csr`` raises, and ``OperatorError`` when the client cannot be stored.
    """
    signer = get_signer(settings.signer)
    if isinstance(signer, SecretsManagerSigner):
        return _make_in_secrets(signer, settings, actor=actor, force=force)
    return _make_in_files(pki_settings().data_dir, settings, actor=actor, force=force)


def client_on_disk(fingerprint: str) -> str:
    """Return the name of the test client whose certificate has this SHA-256, if its key is here.

    "" if there is none, as on Lambda, where the key is a secret.
    """
    directory = pki_settings().data_dir
    for stem in chain([TEST_CLIENT], _numbered()):
        path = directory / f"{stem}.pem"
        if not path.exists():
            return ""
        if fingerprint_of(read_certificate_pem(path.read_bytes())) == fingerprint:
            return stem if (directory / f"{stem}.key").exists() else ""
    return ""


@sensitive_variables()
def key_file(row: IssuedCertificate, *, password: str, actor: Actor) -> bytes:
    """Return key and certificates of a test client as PKCS #12, encrypted with ``password``.

    The audit trail says who took it. Raises ``OperatorError`` if its key is not on this machine.
    """
    stem = client_on_disk(row.fingerprint_sha256 or "")
    if not stem:
        raise OperatorError(
            f"The key of {row} is not on this machine. Only a test client's is, where the server "
            "made it."
        )
    path = pki_settings().data_dir / f"{stem}.key"
    key = load_pem_private_key(path.read_bytes(), None)
    client = _Client(
        row.common_name,
        cast("CertificateIssuerPrivateKeyTypes", key),
        (row.to_x509(), row.ca.certificate),
    )
    target = f"certificate:{row.serial_number}"
    in_write_transaction(
        lambda: audit_trail.record(
            "download-key", actor=actor, target=target, reason="PKCS #12 of a test client"
        )
    )
    return client.pkcs12(BestAvailableEncryption(password.encode()))


def secret_of(client: str, first: str) -> str:
    """Return the name of a client's secret. ``first`` is that of the first client's secret."""
    return first if client == TEST_CLIENT else f"{first}/{client}"


def _make_in_files(
    directory: Path, settings: ClientCASettings, *, actor: Actor, force: bool
) -> str:
    stem = TEST_CLIENT
    if _is_whole(directory, stem):
        if not force:
            return f"test client {directory / stem}.pem: there, left as it is"
        stem = next(name for name in _numbered() if not _is_whole(directory, name))
    client = _sign(stem, settings, actor)
    password = secrets.token_urlsafe(18)
    contents = {
        "key": key_pem(client.key).encode(),
        "pem": pem_of(client.certificates[0]).encode(),
        "p12-password": password.encode() + b"\n",
        "p12": client.pkcs12(BestAvailableEncryption(password.encode())),
    }
    for suffix, content in contents.items():
        replace_file(directory / f"{stem}.{suffix}", content, secret=suffix != "pem")
    path = directory / f"{stem}.pem"
    return f"test client {path}: made, with .key and .p12 (password in .p12-password)"


def _is_whole(directory: Path, stem: str) -> bool:
    """Return whether a test client's files are all there. A crash may have left some of them."""
    return all((directory / f"{stem}.{suffix}").exists() for suffix in _SUFFIXES)


@sensitive_variables()
def _make_in_secrets(
    signer: SecretsManagerSigner, settings: ClientCASettings, *, actor: Actor, force: bool
) -> str:
    """Put the client into the CDK sample's two secrets. The sample's PKCS #12 has no password."""
    for stem in chain([TEST_CLIENT], _numbered()):
        name = secret_of(stem, settings.client_secret_name)
        pfx_name = secret_of(stem, settings.client_pfx_secret_name)
        if signer.is_free(name) and signer.is_free(pfx_name):
            break
        if not force:
            _complete(signer, stem, name, pfx_name)
            return f"test client in the secret {name}: there, left as it is"
    client = _sign(stem, settings, actor)
    certificate = pem_of(client.certificates[0])
    signer.fill(name, pair(certificate, key_pem(client.key)), PAIR_DESCRIPTION)
    signer.fill(pfx_name, client.pkcs12(NoEncryption()), PFX_DESCRIPTION)
    return f"test client {stem}: made, in the secrets {name} and {pfx_name} (without password)"


@sensitive_variables()
def _complete(signer: SecretsManagerSigner, stem: str, name: str, pfx_name: str) -> None:
    """Make the PKCS #12 file, if a run was cut off before it."""
    if not signer.is_free(pfx_name):
        return
    content = signer.read(name)
    if content.key_pem and content.certificates:
        client = _Client(stem, load_key(name, content.key_pem), content.certificates)
        signer.fill(pfx_name, client.pkcs12(NoEncryption()), PFX_DESCRIPTION)


def _numbered() -> Iterator[str]:
    return (f"{TEST_CLIENT}-{number}" for number in count(2))


def _sign(name: str, settings: ClientCASettings, actor: Actor) -> _Client:
    key = generate_private_key(KeyAlgorithm.EC_P256)
    csr = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .sign(key, SHA256())
    )
    row = sign_client_csr(
        csr.public_bytes(Encoding.DER),
        validity=datetime.timedelta(days=365 * settings.client_validity_years),
        actor=actor,
    )
    return _Client(name, key, (row.to_x509(), row.ca.certificate))
