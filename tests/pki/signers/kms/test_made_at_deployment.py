"""A process that may make no keys in KMS: a Lambda function, whose deployment makes them (T55)."""

import json

import pytest
from django.core.management import CommandError, call_command

from pki.authorities.bootstrap import bootstrap_cas
from pki.authorities.succeed import make_successor, step_before_successor
from pki.aws.clients import aws_client
from pki.models import AuditEvent, CertificateAuthority
from pki.operators.errors import OperatorError
from pki.revocation.crl import make_crl
from tests.conftest import TESTER
from tests.pki.signers.kms.keys import OTHER_ACCOUNT, Purpose, create, make_kms_key
from tests.support.aws_faults import Fault, Refusal, aws_calls, failing

MAKING = {"kms:CreateKey", "kms:CreateAlias", "kms:TagResource", "kms:UpdateAlias"}


@pytest.fixture
def on_lambda(configure):
    """The signer ``kms`` in a process that makes no keys."""
    configure({"can_make_keys": False, "project_name": "est-server"})
    return configure


def deployed(name, spec="ECC_NIST_P256"):
    """A key as `aws_deploy` makes it."""
    arn = make_kms_key(spec)
    aws_client("kms").create_alias(AliasName=f"alias/est/est-server/{name}", TargetKeyId=arn)
    return arn


def test_T55_a_CA_gets_the_key_that_the_deployment_made_for_it(on_lambda):
    device, client = deployed("device/device-ca"), deployed("client/client-ca")

    with aws_calls() as calls:
        ca = create()
    client_ca = create("client-ca", purpose=Purpose.CLIENT)

    assert (ca.key_reference, client_ca.key_reference) == (device, client)
    assert not MAKING & {*calls}
    assert make_crl(ca)


def test_T55_without_a_key_nothing_is_made_and_the_command_is_named(on_lambda):
    with aws_calls() as calls, pytest.raises(OperatorError) as caught:
        create()

    assert not MAKING & {*calls}
    assert str(caught.value) == (
        "This process makes no keys in KMS, and there is no key "
        "alias/est/est-server/device/device-ca that it may use. Run manage.py aws_deploy where you "
        "deploy, which makes it, and run this again."
    )
    assert not CertificateAuthority.objects.exists()


@pytest.mark.parametrize("answer", [Fault.ACCESS_DENIED, Refusal("NotFoundException")])
def test_T55_a_key_that_the_role_does_not_name_yet_is_as_one_that_is_not_there(on_lambda, answer):
    deployed("device/device-ca")

    with (
        failing("kms", "DescribeKey", answer),
        pytest.raises(OperatorError, match=r"that it may use\. Run manage\.py aws_deploy where"),
    ):
        create()


def test_an_outage_of_KMS_is_told_as_one(on_lambda):
    deployed("device/device-ca")

    with (
        failing("kms", "DescribeKey", Fault.SERVER_ERROR),
        pytest.raises(OperatorError, match="kms:DescribeKey failed with InternalFailure"),
    ):
        create()


def test_T55_another_installations_key_is_not_found(on_lambda):
    arn = make_kms_key()
    aws_client("kms").create_alias(AliasName="alias/est/other/device/device-ca", TargetKeyId=arn)
    aws_client("kms").create_alias(AliasName="alias/est/device-ca", TargetKeyId=arn)

    with pytest.raises(
        OperatorError, match="there is no key alias/est/est-server/device/device-ca"
    ):
        create()


def test_a_key_of_another_kind_than_the_CA_is_to_have_is_refused(on_lambda):
    deployed("device/device-ca", "RSA_2048")

    with pytest.raises(OperatorError, match=r"is RSA_2048, and the CA is to have ECC_NIST_P256\. "):
        create()


def test_T55_a_rollover_begins_with_the_step_that_makes_the_key(on_lambda):
    deployed("device/device-ca")
    old = create()
    step = (
        "There is no key yet for the successor of device-ca, and this process makes none. Run "
        "manage.py aws_deploy --successor-key device-ca where you deploy. It makes the key, and "
        "gives the functions the right to sign with it."
    )

    assert step_before_successor(old) == step
    with aws_calls() as calls, pytest.raises(OperatorError) as caught:
        make_successor(old, actor=TESTER, reason="half of its time is over")
    assert str(caught.value) == f"{step} Then run this again."
    assert not MAKING & {*calls}
    assert not AuditEvent.objects.filter(action="succeed-ca").exists()

    arn = deployed("device/device-ca-2")
    assert step_before_successor(old) == ""
    new = make_successor(old, actor=TESTER, reason="half of its time is over")
    assert (new.name, new.key_reference) == ("device-ca-2", arn)
    assert "successor-key device-ca-2 where" in step_before_successor(new)


def test_T55_the_command_names_the_key_and_makes_nothing(on_lambda, capsys):
    deployed("device/device-ca", "RSA_3072")
    create(algorithm="rsa-3072")

    call_command("ca_successor", "device-ca", "--key")

    assert json.loads(capsys.readouterr().out) == {
        "successor": "device-ca-2",
        "name": "device/device-ca-2",
        "key_algorithm": "rsa-3072",
        "signer": "kms",
        "is_missing": True,
    }
    assert CertificateAuthority.objects.count() == 1
    with pytest.raises(CommandError, match=r"needs a reason \(--reason\)"):
        call_command("ca_successor", "device-ca")


def test_T55_bootstrap_with_force_is_told_the_step_too(on_lambda, settings):
    from dataclasses import replace

    deployed("device/device-ca")
    create()
    on_lambda(
        {
            "can_make_keys": False,
            "project_name": "est-server",
            "device_ca": replace(settings.PKI.device_ca, signer="kms"),
        }
    )

    with pytest.raises(OperatorError, match="aws_deploy --successor-key device-ca where you"):
        bootstrap_cas(actor=TESTER, force=True)


def test_T55_a_key_that_the_options_name_needs_no_step(on_lambda):
    deployed("device/device-ca")
    old = create()
    named = make_kms_key()
    on_lambda({"can_make_keys": False, "project_name": "est-server"}, key=named)

    assert step_before_successor(old) == ""
    assert make_successor(old, actor=TESTER, reason="test").key_reference == named


def test_in_another_account_its_owner_makes_the_key(on_lambda):
    deployed("device/device-ca")
    old = create()
    role = OTHER_ACCOUNT.role_arn
    on_lambda({"can_make_keys": False, "project_name": "est-server"}, roleArn=role)

    with pytest.raises(OperatorError, match=f"in the account of {role}. Have a key made there"):
        create("client-ca", purpose=Purpose.CLIENT)
    with pytest.raises(OperatorError, match="and name its ARN in the signer's OPTIONS, as key"):
        make_successor(old, actor=TESTER, reason="test")


def test_where_keys_may_be_made_no_step_goes_before(configure):
    assert step_before_successor(create()) == ""
