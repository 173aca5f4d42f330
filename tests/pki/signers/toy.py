"""A signer as a company would write one: this file and some lines of configuration, nothing else.

Its PKI is a PEM file with a CA's certificate and key, which stands for a service behind an API.
"""

from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pki.exceptions import SignerUnavailable
from pki.reasons import Reason
from pki.signers import ExistingAuthority, Signer
from pki.signers.certificate_contents import (
    build_certificate,
    random_serial_number,
    signature_hash,
)
from pki.signers.iam import IAMStatement

TOY = "tests.pki.signers.toy.ToySigner"


class ToySigner(Signer):
    """Issues with the CA in ``caFile``, whose API is ``apiArn``."""

    ALIAS = "toy"
    OPTIONS = ("caFile", "apiArn")
    has_own_ca = True

    def __init__(self, **given):
        options = self.read_options(given)
        self._path = Path(options.text("caFile", "the PEM file of a CA", is_required=True))

    @classmethod
    def iam_statements(cls, options, function):
        yield IAMStatement("SignWithToy", ("execute-api:Invoke",), (options["apiArn"],))

    def sign(self, request, issuer):
        key, _ = self._read()
        chosen = replace(request, serial_number=random_serial_number())
        return build_certificate(chosen, issuer).sign(key, signature_hash(key.public_key()))

    def check(self, issuer):
        self._read()

    def existing_authority(self, purpose):
        _, certificate = self._read()
        return ExistingAuthority((certificate,), "", f"the file {self._path}")

    def _read(self):
        try:
            pem = self._path.read_bytes()
        except OSError as error:
            raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE) from error
        return load_pem_private_key(pem, None), x509.load_pem_x509_certificate(pem)


def toy_options(directory, ca):
    """OPTIONS for a toy signer that issues with ``ca``, a CA of ``tests.support.builders``."""
    directory.mkdir(exist_ok=True)
    path = directory / "toy.pem"
    key = ca.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(key + ca.certificate.public_bytes(Encoding.PEM))
    return {"caFile": str(path), "apiArn": "arn:aws:execute-api:eu-central-1:123456789012:toy"}
