"""Secrets that are sealed under a key outside of the database."""

import pytest

from estserver.people.sealed import CannotUnseal, seal, unseal


def test_what_is_sealed_is_not_in_the_text_and_comes_back():
    sealed = seal(b"JBSWY3DPEHPK3PXP", purpose="totp")

    assert "JBSWY3DPEHPK3PXP" not in sealed
    assert unseal(sealed, purpose="totp") == b"JBSWY3DPEHPK3PXP"
    assert sealed != seal(b"JBSWY3DPEHPK3PXP", purpose="totp")


def test_another_purpose_cannot_unseal_it():
    with pytest.raises(CannotUnseal):
        unseal(seal(b"secret", purpose="totp"), purpose="webhook")


def test_a_new_secret_key_reads_what_the_earlier_one_sealed_while_that_is_known(settings):
    settings.SECRET_KEY = "earlier"
    sealed = seal(b"secret", purpose="totp")

    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "later", ["earlier"]
    assert unseal(sealed, purpose="totp") == b"secret"

    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(CannotUnseal, match="SECRET_KEY_FALLBACKS"):
        unseal(sealed, purpose="totp")
