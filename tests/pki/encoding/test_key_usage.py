"""The key usage extension."""

import pytest

from pki.encoding.key_usage import key_usage

BITS = ("digital_signature", "key_encipherment", "key_cert_sign", "crl_sign")
NEVER = ("content_commitment", "data_encipherment", "key_agreement")


@pytest.mark.parametrize("bit", BITS)
def test_only_the_bits_that_are_given_are_set(bit):
    usage = key_usage(**{bit: True})

    assert [name for name in (*BITS, *NEVER) if getattr(usage, name)] == [bit]
