"""CA keys in encrypted files: the laptop's default.

A file is PKCS #8, encrypted with a passphrase from ``EST_KEY_PASSPHRASE`` or, where that isn't
set, from the file ``key-passphrase`` (0600) beside the database, made at first use. The second
keeps a copied database or backup of the keys alone from being enough; it is no HSM.
"""

import os
import secrets
import threading
from contextlib import suppress
from pathlib import Path

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
from pki.exceptions import SignerUnavailable
from pki.operators.errors import OperatorError
from pki.operators.files import write_new
from pki.reasons import Reason
from pki.signers.base import KeySigner

PASSPHRASE_VARIABLE = "EST_KEY_PASSPHRASE"  # noqa: S105  # the variable's name


class KeyFileSigner(KeySigner):
    """Keys as ``<data dir>/keys/<name>.pem``, parsed once per process."""

    def __init__(self, directory: str | None = None) -> None:
        """Keep keys in ``directory``; by default ``keys`` in the data directory."""
        self._directory = Path(directory) if directory else pki_settings().data_dir / "keys"
        self._keys: dict[str, CertificateIssuerPrivateKeyTypes] = {}
        self._lock = threading.Lock()

    @sensitive_variables()
    def private_key(self, key_reference: str) -> CertificateIssuerPrivateKeyTypes:
        """The key in the file ``key_reference``.

        Decrypting and checking an RSA key takes up to 250 ms, so it is done once.
        """
        key = self._keys.get(key_reference)
        if key is None:
            with self._lock:
                key = self._load(key_reference)
                self._keys[key_reference] = key
        return key

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
                    f"{path} exists, and keys are never overwritten: move it away, or choose "
                    "another name for the CA"
                ) from error
            raise OperatorError(
                f"the key can't be stored: {error.strerror}: {error.filename or path}"
            ) from error
        except ValueError as error:  # what the library says of an empty passphrase, or a huge one
            raise OperatorError(f"the passphrase of the CA keys is unfit: {error}") from error
        return reference

    @sensitive_variables()
    def _load(self, key_reference: str) -> CertificateIssuerPrivateKeyTypes:
        path = self._directory / key_reference
        try:
            key = load_pem_private_key(path.read_bytes(), self._passphrase(make=False))
        except OSError as error:
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error
        except (ValueError, TypeError) as error:  # a wrong passphrase is a ValueError
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error
        if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE)
        return key

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
