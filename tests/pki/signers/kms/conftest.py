"""CAs' keys are made in KMS, in an account that moto plays."""

from dataclasses import replace

import pytest

from pki.signers import get_signer


@pytest.fixture
def configure(aws_cloud, db, data_dir, settings):
    """Give the signer ``kms`` these OPTIONS, and the PKI's settings other values."""

    def configure(changes=None, **options):
        signers = {
            "keyfile": {"BACKEND": "pki.signers.keyfile.KeyFileSigner"},
            "kms": {"BACKEND": "pki.signers.kms.KMSSigner", "OPTIONS": options},
        }
        settings.PKI = replace(settings.PKI, signers=signers, **(changes or {}))
        get_signer.cache_clear()

    configure()
    return configure
