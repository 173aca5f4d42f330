"""Signing with keys in AWS KMS. Configuration files name the class by this package."""

from pki.signers.kms.signer import KMSSigner

__all__ = ["KMSSigner"]
