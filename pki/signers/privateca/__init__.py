"""Signing by AWS Private CA. Configuration files name the class by this package."""

from pki.signers.privateca.signer import PrivateCASigner

__all__ = ["PrivateCASigner"]
