"""The key that signs the admin's sessions, wherever it is, and that a weak one stops the start."""

import pytest
from django.core import signing
from django.core.exceptions import ImproperlyConfigured

from estserver.config import secret_key as module
from estserver.config.secret_key import (
    FALLBACKS_VARIABLE,
    VARIABLE,
    earlier_secret_keys,
    ensure_secret_key,
    secret_key,
)
from estserver.people.sealed import seal, unseal
from pki.operators.errors import OperatorError
from tests.support.secrets_manager import get, put, secrets_manager

NAME = "est/secret-key"
STRONG = "0123456789abcdefghij" * 3


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(FALLBACKS_VARIABLE, raising=False)
    module._of_secret.cache_clear()
    module._previous_of_secret.cache_clear()


def test_the_environment_wins(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, STRONG)

    assert secret_key(tmp_path, secret_name=NAME) == STRONG


@pytest.mark.parametrize("weak", ["short", "a" * 60])
def test_T24_a_weak_key_of_the_environment_stops_the_start(tmp_path, monkeypatch, weak):
    monkeypatch.setenv(VARIABLE, weak)

    with pytest.raises(ImproperlyConfigured, match="Wanted: 50 random ones or more") as caught:
        secret_key(tmp_path)
    assert weak not in str(caught.value)


def test_on_a_laptop_it_is_made_once(tmp_path):
    key = secret_key(tmp_path)

    assert len(key) >= 50
    assert secret_key(tmp_path) == key
    assert (tmp_path / "secret-key").stat().st_mode & 0o077 == 0


def test_deploying_makes_the_secret_once_and_the_admin_signs_with_it(aws_cloud, settings, tmp_path):
    assert ensure_secret_key(NAME) is True
    made = get(NAME)
    assert ensure_secret_key(NAME) is False

    settings.SECRET_KEY = secret_key(tmp_path, secret_name=NAME)

    assert get(NAME) == made
    assert str(settings.SECRET_KEY) == made
    assert not (tmp_path / "secret-key").exists()
    tags = secrets_manager().describe_secret(SecretId=NAME)["Tags"]
    assert {"Key": "est-server:made-by", "Value": "est-server"} in tags


def test_sessions_are_signed_with_a_key_that_is_read_in_time(aws_cloud, settings, tmp_path):
    settings.SECRET_KEY = secret_key(tmp_path, secret_name=NAME)  # asks nobody yet
    put(NAME, STRONG)
    signed = signing.dumps("admin")

    settings.SECRET_KEY = STRONG

    assert signing.loads(signed) == "admin"


def test_T24_a_missing_or_weak_secret_signs_nothing(aws_cloud, tmp_path):
    key = secret_key(tmp_path, secret_name=NAME)
    with pytest.raises(ImproperlyConfigured, match=f"There is no secret {NAME} to sign"):
        str(key)

    put(NAME, "hunter2")

    with pytest.raises(ImproperlyConfigured, match="has 7 characters") as caught:
        str(key)
    assert "hunter2" not in str(caught.value)


def test_T24_a_weak_secret_isnt_overwritten_but_named(aws_cloud):
    put(NAME, "hunter2")

    with pytest.raises(OperatorError, match=f"The secret {NAME} has 7 characters"):
        ensure_secret_key(NAME)
    assert get(NAME) == "hunter2"


EARLIER = "jihgfedcba9876543210" * 3


def test_earlier_keys_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(FALLBACKS_VARIABLE, f"{EARLIER} {STRONG[::-1]}")

    assert earlier_secret_keys(tmp_path) == [EARLIER, STRONG[::-1]]
    monkeypatch.setenv(FALLBACKS_VARIABLE, "short")
    with pytest.raises(ImproperlyConfigured, match="EST_SECRET_KEY_FALLBACKS has 5 characters"):
        earlier_secret_keys(tmp_path)


def test_earlier_keys_are_the_further_lines_of_the_file(tmp_path):
    made = secret_key(tmp_path)
    assert earlier_secret_keys(tmp_path) == []

    (tmp_path / "secret-key").write_text(f"{STRONG}\n{made}\n")

    assert secret_key(tmp_path) == STRONG
    assert earlier_secret_keys(tmp_path) == [made]


def test_a_rotated_secret_still_reads_what_the_version_before_has_signed(
    aws_cloud, settings, tmp_path
):
    put(NAME, EARLIER)
    settings.SECRET_KEY = secret_key(tmp_path, secret_name=NAME)
    signed, sealed = signing.dumps("admin"), seal(b"totp", purpose="totp")
    secrets_manager().put_secret_value(SecretId=NAME, SecretString=STRONG)
    module._of_secret.cache_clear()

    settings.SECRET_KEY = secret_key(tmp_path, secret_name=NAME)
    with pytest.raises(signing.BadSignature):
        signing.loads(signed)
    settings.SECRET_KEY_FALLBACKS = earlier_secret_keys(tmp_path, secret_name=NAME)

    assert str(settings.SECRET_KEY) == STRONG
    assert isinstance(settings.SECRET_KEY_FALLBACKS, list)  # as Django demands
    assert [*settings.SECRET_KEY_FALLBACKS] == [EARLIER]
    assert len(settings.SECRET_KEY_FALLBACKS) == 1
    assert signing.loads(signed) == "admin"
    assert unseal(sealed, purpose="totp") == b"totp"


@pytest.mark.parametrize("before", [None, "hunter2"])
def test_T24_no_weak_and_no_missing_version_before_is_taken(aws_cloud, tmp_path, before, caplog):
    put(NAME, before or STRONG)
    if before:
        secrets_manager().put_secret_value(SecretId=NAME, SecretString=STRONG)

    assert [*earlier_secret_keys(tmp_path, secret_name=NAME)] == []
    assert "hunter2" not in caplog.text
