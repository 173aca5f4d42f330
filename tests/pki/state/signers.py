"""Signers that fail on command and remember what they signed."""

from dataclasses import replace
from typing import ClassVar

from pki.exceptions import SignerUnavailable
from pki.reasons import Reason
from pki.signers.keyfile import KeyFileSigner

PATH = "tests.pki.state.signers.TestSigner"


class TestSigner(KeyFileSigner):
    """The key file signer, with a list of what it signed and two places where a test may act."""

    __test__ = False  # not a test, pytest

    signed: ClassVar[list[str]] = []

    @staticmethod
    def before():
        """Called before a signature is made."""

    @staticmethod
    def after():
        """Called when it is made, before it is returned."""

    def sign(self, request, issuer):
        """Sign, and remember the serial number."""
        type(self).before()
        certificate = super().sign(request, issuer)
        self.signed.append(f"{certificate.serial_number:x}")
        type(self).after()
        return certificate


def use_test_signer(settings):
    """Have CA keys reached through `TestSigner`."""
    signers = {**settings.PKI.signers, "keyfile": {"BACKEND": PATH, "OPTIONS": {}}}
    settings.PKI = replace(settings.PKI, signers=signers)


def unavailable():
    """Fail as a signer does whose key can't be reached."""
    raise SignerUnavailable(Reason.SIGNER_UNAVAILABLE)
