"""Secrets as the CDK sample writes them, put into moto and read from there."""

import json
import os
from functools import cache

import boto3
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki.conf import ClientCASettings, DeviceCASettings

DEVICE_CERTIFICATE, DEVICE_KEY, CLIENT_CA = "deviceCaCert", "deviceCaKey", "clientCa"
CLIENT, CLIENT_PFX = "testClient", "testClientPfx"

DEVICE_PLAN = DeviceCASettings(
    signer="secretsmanager",
    certificate_secret_name=DEVICE_CERTIFICATE,
    key_secret_name=DEVICE_KEY,
)
CLIENT_PLAN = ClientCASettings(
    signer="secretsmanager",
    secret_name=CLIENT_CA,
    client_secret_name=CLIENT,
    client_pfx_secret_name=CLIENT_PFX,
)
SIGNERS = {
    "keyfile": {"BACKEND": "pki.signers.keyfile.KeyFileSigner"},
    "secretsmanager": {"BACKEND": "pki.signers.secretsmanager.SecretsManagerSigner"},
}


def secrets_manager():
    """Return a client of the test's own for the moto server that the test uses."""
    return _client(os.environ.get("AWS_ENDPOINT_URL"), os.environ.get("AWS_DEFAULT_REGION"))


@cache
def _client(endpoint, region):
    """Return one client for each address: making one takes longer than most calls."""
    return boto3.client("secretsmanager", endpoint_url=endpoint, region_name=region)


def put(name, content):
    """Create a secret, or give it a new version; return the version's ID."""
    value = {"SecretBinary" if isinstance(content, bytes) else "SecretString": content}
    client = secrets_manager()
    try:
        return client.create_secret(Name=name, **value)["VersionId"]
    except client.exceptions.ResourceExistsException:
        return client.put_secret_value(SecretId=name, **value)["VersionId"]


def get(name):
    """Return the content of a secret, or ``None`` if there is no such secret."""
    client = secrets_manager()
    try:
        answer = client.get_secret_value(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return None
    return answer["SecretBinary"] if "SecretBinary" in answer else answer["SecretString"]


def names():
    """Return the names of all secrets."""
    return {secret["Name"] for secret in secrets_manager().list_secrets()["SecretList"]}


def pem(certificate):
    return certificate.public_bytes(Encoding.PEM).decode()


def key_pem(key, form=PrivateFormat.PKCS8):
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


def pair(ca):
    """Return certificate and key in one, as the sample stores its client CA."""
    return json.dumps({"certificate": pem(ca.certificate), "key": key_pem(ca.key)})
