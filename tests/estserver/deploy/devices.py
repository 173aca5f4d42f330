"""What devices send through API Gateway and read from the answer, and what AWS IoT has of them."""

import base64

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import pkcs7

from tests.support.builders import make_csr, make_name


def enroll_event(client, name, *, operation="simpleenroll", is_base64=True):
    """A device's request; its subject has all that the sample's template takes from it."""
    subject = make_name(name, serial_number=f"SN-{name}", country="DE")
    csr = make_csr(subject=subject, key=ec.generate_private_key(ec.SECP256R1()))
    body = base64.encodebytes(csr)
    headers = {"Content-Type": "application/pkcs10"}
    return client.event("POST", client.url(operation), body, headers, is_base64=is_base64)


def issued(data):
    """The certificate of a certs-only answer."""
    (certificate,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(data))
    return certificate


def held_certificate(cloud, certificate):
    """What AWS IoT says of a certificate."""
    name = certificate.fingerprint(SHA256()).hex()
    found = cloud.client("iot").describe_certificate(certificateId=name)
    return found["certificateDescription"]


def attached_to(cloud, held):
    """Names of policies and things that a certificate has."""
    iot, arn = cloud.client("iot"), held["certificateArn"]
    policies = iot.list_attached_policies(target=arn)["policies"]
    things = iot.list_principal_things(principal=arn)["things"]
    return [policy["policyName"] for policy in policies], things
