"""Signing by an upstream EST server. Configuration files name the class by this package."""

from pki.signers.est.signer import ESTSigner

__all__ = ["ESTSigner"]
