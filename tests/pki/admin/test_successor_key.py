"""The page for a successor, where a deployment has to make the key in KMS first (threat T55)."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User

from pki.aws.clients import aws_client
from pki.models import CertificateAuthority
from pki.signers import get_signer
from tests.pki.admin.test_operations import page
from tests.pki.signers.kms.keys import create, make_kms_key
from tests.support.aws_faults import Fault, failing

pytestmark = pytest.mark.django_db(transaction=True)
STEP = "manage.py aws_deploy --successor-key device-ca where you deploy"


@pytest.fixture
def device_ca(aws_cloud, data_dir, settings):
    """A CA with a key in KMS, in a process that makes no keys."""
    settings.PKI = replace(
        settings.PKI,
        signers={"kms": {"BACKEND": "pki.signers.kms.KMSSigner"}},
        project_name="est-server",
    )
    get_signer.cache_clear()
    ca = create()
    settings.PKI = replace(settings.PKI, can_make_keys=False)
    yield ca
    get_signer.cache_clear()


@pytest.fixture
def alice(client):
    client.force_login(User.objects.create_superuser("alice"))
    return client


def succeed(alice, ca):
    return alice.post(page(ca, "successor"), {"name": ca.name, "reason": "yearly"})


def test_T55_the_page_of_a_CA_shows_the_step_before_its_successor(alice, device_ca):
    assert STEP in alice.get(page(device_ca, "successor")).text
    refused = succeed(alice, device_ca)
    assert refused.status_code == 200
    assert STEP in refused.text
    assert CertificateAuthority.objects.count() == 1

    arn = make_kms_key()
    alias = "alias/est/est-server/device/device-ca-2"
    aws_client("kms").create_alias(AliasName=alias, TargetKeyId=arn)

    assert STEP not in alice.get(page(device_ca, "successor")).text
    assert succeed(alice, device_ca).status_code == 302
    assert CertificateAuthority.objects.get(successor_of=device_ca).key_reference == arn


def test_an_outage_of_KMS_is_said_on_the_page(alice, device_ca):
    with failing("kms", "DescribeKey", Fault.SERVER_ERROR):
        answer = alice.get(page(device_ca, "successor"))

    assert answer.status_code == 200
    assert "kms:DescribeKey failed with InternalFailure" in answer.text
