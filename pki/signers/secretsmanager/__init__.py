"""Signing with keys from Secrets Manager. Configuration files name the class by this package."""

from pki.signers.secretsmanager.signer import SecretsManagerSigner

__all__ = ["SecretsManagerSigner"]
