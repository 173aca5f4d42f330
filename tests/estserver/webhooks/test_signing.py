"""Signatures that receivers' libraries of Standard Webhooks verify."""

import base64

import pytest

from estserver.people.sealed import CannotUnseal, unseal
from estserver.webhooks.signing import (
    new_secret,
    seal_secret,
    signature_headers,
    unseal_secret,
)


def test_the_signature_is_that_of_the_specifications_libraries():
    # https://github.com/standard-webhooks/standard-webhooks/tree/main/libraries: their own vector
    headers = signature_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )

    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_each_secret_makes_a_signature():
    first, second = new_secret(), new_secret()

    both = signature_headers("msg_1", 1, b"{}", [first, second])["webhook-signature"].split(" ")

    assert both == [
        signature_headers("msg_1", 1, b"{}", [one])["webhook-signature"] for one in (first, second)
    ]


def test_T131_a_secret_is_random_and_sealed():
    secret = new_secret()
    sealed = seal_secret(secret)

    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret != new_secret()
    assert secret not in sealed
    assert unseal_secret(sealed) == secret
    with pytest.raises(CannotUnseal):
        unseal(sealed, purpose="totp")
