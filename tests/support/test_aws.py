"""The one place that calls AWS: clients that are lazy and bounded, errors that are sentences."""

import subprocess
import sys

import pytest
from botocore import compat
from botocore.stub import Stubber

from iotprov.client import account_of, calling, region_of
from iotprov.conf import IoTTarget
from pki.aws.clients import AWSLocation, as_remote_failure, aws_client, forget_clients
from pki.operators.errors import RemoteFailure

DEFAULT_LOCATION = IoTTarget("default")


def failing(service, method, code, *, status=400, message="what AWS says"):
    client = aws_client(service)
    stub = Stubber(client)
    stub.add_client_error(method, code, message, http_status_code=status)
    stub.activate()
    return client


def test_the_tests_sign_with_what_the_product_has():
    assert not compat.HAS_CRT


def test_the_server_is_an_account_in_a_region(aws_cloud):
    assert account_of(DEFAULT_LOCATION) == "123456789012"
    assert region_of(DEFAULT_LOCATION) == "eu-central-1"


def test_a_target_has_its_own_region_and_account(aws_cloud):
    other = IoTTarget("us", "us-east-1", "arn:aws:iam::210987654321:role/est")

    assert region_of(other) == "us-east-1"
    assert account_of(other) == "210987654321"


def test_AWS_REGION_names_the_region_as_it_does_for_AWSs_other_tools(aws_cloud, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")

    assert region_of(DEFAULT_LOCATION) == "eu-west-1"


def test_a_client_is_made_once_and_bounded(aws_cloud):
    client = aws_client("kms")

    assert aws_client("kms") is client
    assert aws_client("kms", AWSLocation("us-east-1")) is not client
    config = client.meta.config
    assert (config.connect_timeout, config.read_timeout) == (5, 5)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


def test_whoever_is_in_a_hurry_tries_once(aws_cloud):
    config = aws_client("iot", read_timeout=2).meta.config

    assert (config.connect_timeout, config.read_timeout) == (2, 2)
    assert config.retries["total_max_attempts"] == 1


def test_a_refusal_names_call_code_and_advice(aws_cloud):
    client = failing("kms", "sign", "AccessDeniedException", message="no kms:Sign for you.")

    with (
        pytest.raises(
            RemoteFailure,
            match=r"^kms:Sign failed with AccessDeniedException: no kms:Sign for you. "
            r"Allow the role or user of this process to call kms:Sign\.$",
        ) as caught,
        as_remote_failure("kms:Sign"),
    ):
        client.sign(KeyId="k", Message=b"m", SigningAlgorithm="ECDSA_SHA_256")
    assert not caught.value.is_transient


@pytest.mark.parametrize(
    ("code", "status", "throttled"),
    [("ThrottlingException", 400, True), ("InternalFailureException", 500, False)],
)
def test_what_may_pass_is_told_from_what_wont(aws_cloud, code, status, throttled):
    client = failing("iot", "describe_thing", code, status=status)

    with pytest.raises(RemoteFailure) as caught, as_remote_failure("iot:DescribeThing"):
        client.describe_thing(thingName="x")
    assert caught.value.is_transient
    assert caught.value.is_throttled is throttled


def test_nobody_at_the_endpoint_is_transient(monkeypatch):
    forget_clients()

    with (
        pytest.raises(RemoteFailure, match="cannot be reached") as caught,
        calling(DEFAULT_LOCATION, "iot", "DescribeThing", read_timeout=1) as iot,
    ):
        iot.describe_thing(thingName="x")
    assert caught.value.is_transient
    forget_clients()


def test_no_credentials_says_how_to_log_in(monkeypatch):
    forget_clients()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    with (
        pytest.raises(RemoteFailure, match=r"NoCredentials: .* Log in \(aws sso login\)"),
        calling(DEFAULT_LOCATION, "iot", "DescribeThing") as iot,
    ):
        iot.describe_thing(thingName="x")
    forget_clients()


def test_no_region_says_where_to_set_it(monkeypatch):
    forget_clients()
    monkeypatch.delenv("AWS_DEFAULT_REGION")

    with pytest.raises(RemoteFailure, match=r"Set Properties\.awsRegion, or AWS_REGION\.$"):
        aws_client("iot")


def test_another_target_is_named_in_the_call(aws_cloud):
    target = IoTTarget("us", "us-east-1")

    with (
        pytest.raises(RemoteFailure, match=r"^iot:DescribeThing at us failed with Resource"),
        calling(target, "iot", "DescribeThing") as iot,
    ):
        iot.describe_thing(thingName="nobody")


def test_a_parameter_that_is_wrong_is_not_quoted(aws_cloud):
    with pytest.raises(RemoteFailure) as caught, as_remote_failure("iot:DescribeThing"):
        aws_client("iot").describe_thing(thingName="a secret that isn't a thing's name")
    assert "secret" not in str(caught.value)


def test_importing_the_module_doesnt_import_boto3():
    code = "import sys, pki.aws.clients, iotprov.client; sys.exit('boto3' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
