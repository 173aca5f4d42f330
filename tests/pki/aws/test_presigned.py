"""A presigned request is the one that botocore would sign."""

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore import auth, awsrequest, credentials

from pki.aws.clients import current_credentials
from pki.aws.presigned import Credentials, presigned_request
from pki.operators.errors import RemoteFailure

AT = datetime(2026, 11, 27, 12, 30, 5, tzinfo=UTC)
HOST = "db.cluster-abc.eu-central-1.rds.amazonaws.com:5432"
QUERY = {"Action": "connect", "DBUser": "est device+1/ä"}


@pytest.mark.parametrize("token", ["", "session+token/=="])
def test_T71_the_signature_is_that_of_botocore(monkeypatch, token):
    ours = presigned_request(
        "rds-db",
        HOST,
        QUERY,
        region="eu-central-1",
        seconds=900,
        at=AT,
        credentials=Credentials("AKIDEXAMPLE", "secret", token),
    )

    monkeypatch.setattr(auth, "get_current_datetime", lambda remove_tzinfo=True: AT)
    request = awsrequest.AWSRequest("GET", f"https://{HOST}/", params=QUERY)
    signer = credentials.Credentials("AKIDEXAMPLE", "secret", token or None)
    auth.SigV4QueryAuth(signer, "rds-db", "eu-central-1", expires=900).add_auth(request)
    assert not ours.startswith("https://")
    assert parse_qs(urlsplit(f"https://{ours}").query) == parse_qs(urlsplit(request.url).query)


def test_a_functions_credentials_are_those_of_its_environment(monkeypatch):
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "est")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ASIAFUNCTION")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of the function")
    monkeypatch.setattr("pki.aws.presigned.current_credentials", pytest.fail)

    signed = presigned_request("rds-db", HOST, QUERY, region="eu-central-1", seconds=900)

    query = parse_qs(urlsplit(f"https://{signed}").query)
    assert query["X-Amz-Credential"][0].startswith("ASIAFUNCTION/")
    assert query["X-Amz-Security-Token"] == ["of the function"]


def test_elsewhere_they_are_those_that_boto3_finds(monkeypatch):
    monkeypatch.setattr("pki.aws.clients._sessions", {})
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAPERSON")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    assert current_credentials()[0] == "AKIAPERSON"
    signed = presigned_request("rds-db", HOST, QUERY, region="eu-central-1", seconds=900)
    assert "AKIAPERSON" in signed


def test_no_credentials_are_a_failure_with_what_to_do(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr("pki.aws.clients._sessions", {})

    with pytest.raises(RemoteFailure, match="Log in"):
        presigned_request("rds-db", HOST, QUERY, region="eu-central-1", seconds=900)
