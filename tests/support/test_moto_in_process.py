"""A call that is answered in the process gets what it gets over HTTP."""

import io
import os

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.core import responses, utils
from moto.iot.responses import IoTResponse
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from tests.support import moto_in_process

NAME = "a name/with spaces+ü"


def client(service, cloud):
    once = Config(retries={"total_max_attempts": 1})
    return boto3.client(service, "eu-central-1", endpoint_url=cloud.url, config=once)


def no_thread_asks(monkeypatch):
    def refuse(*_):
        raise AssertionError("a socket was used")

    monkeypatch.setattr(moto_in_process, "_over_http", refuse)


def headers_and_rest(answer):
    """What an answer says, without the server's name and what differs from call to call."""
    metadata = answer.pop("ResponseMetadata")
    headers = dict(metadata["HTTPHeaders"])
    for name in ("date", "server", "x-amzn-requestid", "x-amz-request-id", "x-amz-id-2"):
        headers.pop(name, None)
    body = answer.pop("Body").read() if "Body" in answer else None
    return metadata["HTTPStatusCode"], headers, body, answer


def things(cloud):
    """One call of each kind: JSON, XML, query, binary, a stream, HEAD, a path with characters."""
    s3, iot = client("s3", cloud), client("iot", cloud)
    yield s3.list_buckets()
    yield s3.head_object(Bucket="bucket", Key=NAME)
    yield s3.get_object(Bucket="bucket", Key=NAME)
    yield s3.list_objects_v2(Bucket="bucket", Prefix="a name/")
    yield iot.describe_thing(thingName="sensor-1")
    yield iot.list_things(attributeName="colour", attributeValue="grün &?=")
    yield client("sts", cloud).get_caller_identity()
    yield client("secretsmanager", cloud).get_secret_value(SecretId="secret")


@pytest.fixture
def filled(aws_cloud, monkeypatch):
    with monkeypatch.context() as patched:
        no_thread_asks(patched)
        s3, iot = client("s3", aws_cloud), client("iot", aws_cloud)
        place = {"LocationConstraint": "eu-central-1"}
        s3.create_bucket(Bucket="bucket", CreateBucketConfiguration=place)
        body = io.BytesIO(b"not this" + bytes(range(256)) * 99)
        body.seek(8)
        s3.put_object(Bucket="bucket", Key=NAME, Body=body, Metadata={"of_whom": "me"})
        attributes = {"attributes": {"colour": "grün &?="}}
        with pytest.raises(ClientError):
            iot.describe_thing(thingName="sensor-1")
        iot.create_thing(thingName="sensor-1", attributePayload=attributes)
        client("secretsmanager", aws_cloud).create_secret(Name="secret", SecretBinary=b"\x00\xff")
    return aws_cloud


def test_both_roads_give_the_same_answers(filled, monkeypatch):
    with monkeypatch.context() as patched:
        no_thread_asks(patched)
        here = [headers_and_rest(one) for one in things(filled)]
    monkeypatch.setattr(moto_in_process, "_servers", {})

    assert here == [headers_and_rest(one) for one in things(filled)]
    assert here[2][2] == bytes(range(256)) * 99
    assert here[1][3]["Metadata"] == {"of_whom": "me"}


def test_both_roads_give_the_same_errors(filled, monkeypatch):
    def refusal():
        with pytest.raises(ClientError) as caught:
            client("iot", filled).describe_thing(thingName="nobody")
        return headers_and_rest(caught.value.response)

    with monkeypatch.context() as patched:
        no_thread_asks(patched)
        here = refusal()
    monkeypatch.setattr(moto_in_process, "_servers", {})

    assert here == refusal()
    assert here[0] == 404


@pytest.mark.parametrize("owner", [IoTResponse, DomainDispatcherApplication])
def test_what_moto_raises_is_a_500(aws_cloud, monkeypatch, owner):
    def fail(*_):
        raise KeyError("a gap of moto's")

    no_thread_asks(monkeypatch)
    method = {IoTResponse: "describe_thing", DomainDispatcherApplication: "get_application"}[owner]
    monkeypatch.setattr(owner, method, fail)

    with pytest.raises(ClientError) as caught:
        client("iot", aws_cloud).describe_thing(thingName="sensor-1")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500


def test_an_action_of_moto_is_a_function_that_may_come_later(monkeypatch):
    names = responses.method_names_from_class(IoTResponse)

    assert "describe_thing" in names
    assert "service_name" not in names  # a str
    assert "set_flags" not in names
    monkeypatch.setattr(IoTResponse, "set_flags", lambda self: None, raising=False)
    assert "set_flags" in names
    members = utils.method_names_from_class(IoTResponse)
    assert all((name in names) == (name in members) for name in dir(IoTResponse))


def test_a_stream_can_be_read_in_parts(filled, monkeypatch):
    no_thread_asks(monkeypatch)

    body = client("s3", filled).get_object(Bucket="bucket", Key=NAME)["Body"]

    assert body.read(3) == b"\x00\x01\x02"
    assert b"".join(body.iter_chunks(1000)) == (bytes(range(256)) * 99)[3:]


def test_another_process_changes_the_same_account(filled, monkeypatch):
    monkeypatch.setattr(moto_in_process, "_owner", os.getpid() + 1)  # as a fork sees it
    used = []
    over_http = moto_in_process._over_http
    monkeypatch.setattr(
        moto_in_process,
        "_over_http",
        lambda *call: used.append(call) or over_http(*call),
    )

    client("iot", filled).create_thing(thingName="of-a-fork")

    assert len(used) == 1
    monkeypatch.undo()
    no_thread_asks(monkeypatch)
    assert client("iot", filled).describe_thing(thingName="of-a-fork")


def test_another_address_is_asked_over_http(aws_cloud, monkeypatch):
    no_thread_asks(monkeypatch)

    with pytest.raises(AssertionError, match="a socket"):
        boto3.client("iot", "eu-central-1", endpoint_url="http://127.0.0.1:1").list_things()
