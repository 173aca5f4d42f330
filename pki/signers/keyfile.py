"""CA keys in encrypted files, the default on a laptop.

A file is PKCS #8, encrypted with a passphrase. The passphrase comes from the environment variable
``EST_KEY_PASSPHRASE``. Where that is not set, it is in the file ``key-passphrase`` (0600) beside
the database, which is made at first use. A copy of the database or of the keys is then useless
without that file, but an HSM protects keys better.
"""

import os
import secrets
import threading
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from django.views.decorators.debug import sensitive_variables

from pki.conf import pki_settings
from pki.csr.public_keys import public_keys_equal
from pki.exceptions import SignerUnavailable
from pki.operators.errors import OperatorError
from pki.operators.files import write_new
from pki.reasons import Reason
from pki.signers.base import KeySigner
from pki.signers.certificate_contents import Issuer

PASSPHRASE_VARIABLE = "EST_KEY_PASSPHRASE"  # noqa: S105  # the variable's name


class KeyFileSigner(KeySigner):
    """Signs with keys in the files ``<directory>/<name>.pem``, each parsed once per process.

    ``directory`` is by default ``keys`` in the data directory.
    """

    ALIAS = "keyfile"
    OPTIONS = ("directory",)
    custody = "an encrypted file on this server"
    lasts_on_lambda = False
    check_seconds = 1.0  # no call leaves the machine

    def __init__(self, **given: Any) -> None:
        """Read OPTIONS; no file is read yet. Raises ``OperatorError``."""
        directory = self.read_options(given).text("directory", "a directory")
        self._directory = Path(directory) if directory else pki_settings().data_dir / "keys"
        self._keys: dict[str, CertificateIssuerPrivateKeyTypes] = {}
        self._digests: dict[str, bytes] = {}  # of the files that the keys came from
        self._lock = threading.Lock()

    @sensitive_variables()
    def private_key(self, key_reference: str) -> CertificateIssuerPrivateKeyTypes:
        """Return the key in the file ``key_reference``.

        To decrypt and check an RSA key takes up to 250 ms, so it is done once.
        """
        key = self._keys.get(key_reference)
        if key is None:
            with self._lock:
                content = self._read(key_reference)
                key = self._load(content)
                self._digests[key_reference] = sha256(content).digest()
                self._keys[key_reference] = key  # the last, as other threads do not take the lock
        return key

    @sensitive_variables()
    def check(self, issuer: Issuer) -> None:
        """Raise ``SignerUnavailable`` unless the key is the CA's, and can still be read.

        This process has read the key, and could go on. The next one could not without the files.
        """
        super().check(issuer)
        content = self._read(issuer.key_reference)
        if sha256(content).digest() == self._digests[issuer.key_reference]:
            self._read_passphrase()
        elif not public_keys_equal(
            self._load(content).public_key(), issuer.certificate.public_key()
        ):
            raise SignerUnavailable(Reason.SIGNER_MISBEHAVED)

    @sensitive_variables()
    def store(self, name: str, key: CertificateIssuerPrivateKeyTypes) -> str:
        """Encrypt ``key`` into a new file, readable by its owner only."""
        reference = f"{name}.pem"
        path = self._directory / reference
        try:
            passphrase = self._passphrase(make=True)
            encryption = BestAvailableEncryption(passphrase)
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
            write_new(path, pem, secret=True)
        except OSError as error:
            if path.exists():
                raise OperatorError(
                    f"{path} exists, and keys are never overwritten. Move the file away, or "
                    "choose another name for the CA."
                ) from error
            raise OperatorError(
                f"The key cannot be stored: {error.strerror}: {error.filename or path}. Make the "
                "directory writable for this process."
            ) from error
        except ValueError as error:  # the library refuses an empty passphrase, or a huge one
            raise OperatorError(
                f"The passphrase of the CA keys cannot be used: {error}. Set "
                f"{PASSPHRASE_VARIABLE}, or correct the file key-passphrase."
            ) from error
        return reference

    def key_named(self, name: str) -> str:
        """Return the file that ``store`` wrote under that name; "" if there is none."""
        reference = f"{name}.pem"
        return reference if (self._directory / reference).is_file() else ""

    def remove_key(self, key_reference: str) -> None:
        """Remove the file. One that cannot be removed stays, and the audit trail names it."""
        with self._lock:
            self._keys.pop(key_reference, None)
            self._digests.pop(key_reference, None)
            with suppress(OSError):
                (self._directory / key_reference).unlink()

    def _read(self, key_reference: str) -> bytes:
        try:
            return (self._directory / key_reference).read_bytes()
        except OSError as error:
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error

    @sensitive_variables()
    def _load(self, content: bytes) -> CertificateIssuerPrivateKeyTypes:
        try:
            key = load_pem_private_key(content, self._read_passphrase())
        except (ValueError, TypeError) as error:  # a wrong passphrase is a ValueError
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error
        if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE)
        return key

    @sensitive_variables()
    def _read_passphrase(self) -> bytes:
        try:
            return self._passphrase(make=False)
        except OSError as error:
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error

    @sensitive_variables()
    def _passphrase(self, *, make: bool) -> bytes:
        from_environment = os.environ.get(PASSPHRASE_VARIABLE)
        if from_environment:
            return from_environment.encode()
        path = pki_settings().data_dir / "key-passphrase"
        if make and not path.exists():
            with suppress(FileExistsError):  # another process made it at this moment
                write_new(path, secrets.token_urlsafe(32).encode(), secret=True)
        return path.read_bytes().strip()
