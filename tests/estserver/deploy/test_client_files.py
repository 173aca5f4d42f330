"""The files of the test client, as the CDK sample left them in a bucket."""

import json
import stat
from io import StringIO

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate
from django.core.management import CommandError, call_command

from pki.aws.clients import aws_client
from tests.support.builders import make_ca, make_certificate, make_key


@pytest.fixture
def secrets(deployment):
    """What `bootstrap_cas` leaves in Secrets Manager."""
    key = make_key()
    certificate = make_certificate(make_ca("client CA"), "test", public_key=key.public_key())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    pair = {"certificate": certificate.public_bytes(Encoding.PEM).decode(), "key": pem}
    pfx = pkcs12.serialize_key_and_certificates(b"test", key, certificate, None, NoEncryption())
    client = aws_client("secretsmanager")
    client.create_secret(Name="estMtlsClientSecrets", SecretString=json.dumps(pair))
    client.create_secret(Name="estMtlsClientPfx", SecretBinary=pfx)
    return client


def fetch(directory, *more):
    out = StringIO()
    call_command("aws_client_files", directory, "--yes", *more, stdout=out)
    return out.getvalue()


def test_certificate_key_and_pfx_are_written_and_belong_together(secrets, tmp_path):
    said = fetch(tmp_path / "client")

    files = {path.name: path for path in (tmp_path / "client").iterdir()}
    certificate = load_pem_x509_certificate(files["test-client.pem"].read_bytes())
    key = load_pem_private_key(files["test-client.key"].read_bytes(), None)
    held, in_file, _ = pkcs12.load_key_and_certificates(files["test-client.pfx"].read_bytes(), None)
    assert key.public_key() == certificate.public_key() == held.public_key()
    assert in_file == certificate
    for name in ("test-client.key", "test-client.pfx"):
        assert stat.S_IMODE(files[name].stat().st_mode) == 0o600
    assert "PRIVATE" not in said


def test_without_them_nothing_is_written(deployment, secrets, tmp_path):
    with pytest.raises(CommandError, match="There is no secret estMtlsClientSecrets/other") as no:
        fetch(tmp_path, "--client", "other")
    assert no.value.returncode == 1
    secrets.put_secret_value(SecretId="estMtlsClientSecrets", SecretString="no pair")
    with pytest.raises(CommandError, match="do not hold a certificate with its key"):
        fetch(tmp_path)

    assert [*tmp_path.glob("*.pem")] == []


def test_a_directory_that_takes_no_files_is_named(deployment, secrets, tmp_path):
    (tmp_path / "client").touch()

    with pytest.raises(CommandError, match=r"into .*/client: File exists\. Name a directory in"):
        fetch(tmp_path / "client")
