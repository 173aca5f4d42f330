"""The yardstick of `bench.cold_start`: a Lambda function that signs, with nothing around it.

What people write who don't want a server: boto3's client for the secrets, made at import as is
usual, and ``cryptography``. It reads its CA from files that stand for the secrets' values, so that
no network is in the figures. It checks nothing about the caller and records nothing.
"""

import base64
import datetime
import os
from pathlib import Path
from typing import Any

import boto3
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key, pkcs7

secrets = boto3.client("secretsmanager")


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Sign the CSR of a simpleenroll."""
    directory = Path(os.environ["PLAIN_DATA_DIR"])
    ca = x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())
    key = load_pem_private_key((directory / "ca.key").read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError("the CA's key isn't an EC key")
    csr = x509.load_der_x509_csr(base64.b64decode(base64.b64decode(event["body"])))
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(csr.subject)
        .issuer_name(ca.subject)
        .public_key(csr.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    body = base64.b64encode(pkcs7.serialize_certificates([certificate], Encoding.DER))
    return {
        "statusCode": 200,
        "headers": {"Content-Type": "application/pkcs7-mime; smime-type=certs-only"},
        "body": body.decode(),
        "isBase64Encoded": False,
    }
