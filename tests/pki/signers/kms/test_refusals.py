"""What an operator reads when AWS KMS refuses."""

from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command

from pki.exceptions import SignerUnavailable
from pki.operators.errors import RemoteFailure
from pki.revocation.crl import make_crl
from pki.signers import get_signer
from tests.pki.signers.kms.keys import create, issuer_of
from tests.support.aws_faults import Fault, Refusal, failing


def test_an_operator_reads_call_code_and_advice(configure):
    ca = create()

    with failing("kms", "Sign", Fault.ACCESS_DENIED), pytest.raises(RemoteFailure) as caught:
        make_crl(ca)

    sentence = str(caught.value)
    assert sentence.startswith("kms:Sign failed with AccessDeniedException: ")
    assert sentence.endswith("Allow the role or user of this process to call kms:Sign.")


@pytest.mark.parametrize(
    ("operation", "command"),
    [("Sign", ["crl", "device-ca"]), ("CreateAlias", ["bootstrap_cas"])],
)
def test_a_command_that_KMS_failed_exits_3(configure, settings, operation, command):
    if command[0] == "crl":
        create()
    plan = replace(settings.PKI.device_ca, signer="kms")
    configure({"device_ca": plan})

    with (
        failing("kms", operation, Fault.ACCESS_DENIED),
        pytest.raises(CommandError, match=f"kms:{operation} failed with AccessDenied") as caught,
    ):
        call_command(*command)
    assert caught.value.returncode == 3


def test_a_new_key_that_cant_be_looked_at_is_told_with_the_call_and_exits_3(configure, settings):
    configure({"device_ca": replace(settings.PKI.device_ca, signer="kms")})

    with (
        failing("kms", "GetPublicKey", Fault.ACCESS_DENIED),
        pytest.raises(
            CommandError, match=r"made the key arn:aws:kms.*kms:GetPublicKey f"
        ) as caught,
    ):
        call_command("bootstrap_cas")
    assert caught.value.returncode == 3


@pytest.mark.parametrize("code", ["DisabledException", "KMSInvalidStateException"])
def test_a_key_that_was_disabled_is_no_bug_but_an_outage(configure, code):
    issuer = issuer_of(create())

    with failing("kms", "GetPublicKey", Refusal(code)), pytest.raises(SignerUnavailable) as caught:
        get_signer("kms").check(issuer)
    assert f"kms:GetPublicKey failed with {code}" in str(caught.value.__cause__)
