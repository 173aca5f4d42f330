"""The fault injector does what it says: the tests of everything in AWS stand on it."""

import pytest

from pki.aws.clients import as_remote_failure, aws_client
from pki.operators.errors import RemoteFailure
from tests.support.aws_faults import Fault, Refusal, aws_calls, failing

SPOKEN = [  # one service for each of AWS's protocols
    ("secretsmanager", "ListSecrets", lambda client: client.list_secrets()),
    ("iot", "ListThings", lambda client: client.list_things()),
    ("sts", "GetCallerIdentity", lambda client: client.get_caller_identity()),
    ("s3", "ListBuckets", lambda client: client.list_buckets()),
    ("apigateway", "GetRestApis", lambda client: client.get_rest_apis()),
]
CODES = {
    Fault.TIMEOUT: ("ReadTimeout", True),
    Fault.SUCCESS_THEN_TIMEOUT: ("ReadTimeout", True),
    Fault.THROTTLE: ("ThrottlingException", True),
    Fault.SERVER_ERROR: ("InternalFailure", True),
    Fault.ACCESS_DENIED: ("AccessDeniedException", False),
}


def call(service, operation, do):
    with as_remote_failure(f"{service}:{operation}"):
        return do(aws_client(service))


@pytest.mark.parametrize("fault", Fault)
@pytest.mark.parametrize("spoken", SPOKEN, ids=lambda spoken: spoken[0])
def test_each_fault_reaches_each_protocol_once(aws_cloud, spoken, fault):
    with failing(*spoken[:2], fault, times=1) as failed:
        with pytest.raises(RemoteFailure) as caught:
            call(*spoken)
        assert call(*spoken)

    assert (caught.value.code, caught.value.is_transient) == CODES[fault]
    assert failed.met == 1


def test_a_refusal_of_a_services_own_is_parsed_as_the_services(aws_cloud):
    refusal = Refusal("ResourceAlreadyExistsException", 409)

    with (
        failing("iot", "CreateThing", refusal),
        pytest.raises(RemoteFailure, match="failed with ResourceAlreadyExistsException") as caught,
    ):
        call("iot", "CreateThing", lambda iot: iot.create_thing(thingName="pump"))
    assert not caught.value.is_transient


def test_a_client_made_before_fails_too_and_recovers(aws_cloud):
    client = aws_client("secretsmanager")

    with failing("secretsmanager", "ListSecrets", Fault.TIMEOUT) as failed:
        for _ in range(2):
            with pytest.raises(RemoteFailure):
                call(*SPOKEN[0])
    assert client.list_secrets()["SecretList"] == []
    assert failed.met == 2


def test_other_operations_work_meanwhile(aws_cloud):
    with failing("iot", "ListThings", Fault.TIMEOUT) as failed:
        aws_client("iot").list_policies()
    assert failed.met == 0


def test_an_answer_that_was_lost_was_an_answer_to_something_done(aws_cloud):
    with (
        failing("iot", "CreateThing", Fault.SUCCESS_THEN_TIMEOUT, times=1),
        pytest.raises(RemoteFailure),
    ):
        call("iot", "CreateThing", lambda iot: iot.create_thing(thingName="pump"))
    assert aws_client("iot").describe_thing(thingName="pump")


def test_a_single_attempt_that_fails_is_repeated_by_botocore(aws_cloud):
    with failing("iot", "ListThings", Fault.THROTTLE, times=1, attempts=1) as failed:
        answer = call(*SPOKEN[1])
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert failed.met == 1


def test_calls_are_recorded_once_however_often_they_are_tried(aws_cloud):
    with aws_calls() as calls, failing("iot", "ListThings", Fault.SERVER_ERROR, attempts=2):
        call(*SPOKEN[1])
        call(*SPOKEN[0])
    call(*SPOKEN[0])
    assert calls == ["iot:ListThings", "secretsmanager:ListSecrets"]
