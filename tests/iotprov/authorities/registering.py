"""A CA in AWS IoT: how it is registered, looked for, and answered about by AWS or in its place."""

from contextlib import contextmanager

from botocore.stub import Stubber
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from moto.iot.models import iot_backends

from iotprov.authorities.ca_registration import register_ca
from iotprov.authorities.iot_authorities import COURTESY_SECONDS
from iotprov.conf import IoTTarget
from iotprov.models import CARegistration
from pki.aws.clients import READ_TIMEOUT, aws_client
from pki.models import CertificateAuthority
from tests.conftest import TESTER

HERE = IoTTarget("default")
TARGETS = (
    HERE,
    IoTTarget("us", "us-east-1"),
    IoTTarget("other", "eu-west-1", "arn:aws:iam::210987654321:role/est"),
)
TEMPLATE = "est_iot_provisioning_template"
Purpose = CertificateAuthority.Purpose
State = CARegistration.State


def register(ca, target=HERE):
    return register_ca(ca, target, actor=TESTER)


def in_aws(region="eu-central-1", account="123456789012"):
    """The CAs that moto holds, by id."""
    return iot_backends[account][region].ca_certificates


def id_of(ca):
    return ca.certificate.fingerprint(SHA256()).hex()


def pem_of(certificate):
    return certificate.public_bytes(Encoding.PEM).decode()


def description(ca, *, status="ACTIVE", mode="SNI_ONLY", auto="ENABLE", template=TEMPLATE, **more):
    """AWS's answer to DescribeCACertificate, in full, as moto doesn't give it."""
    known = {
        "certificateArn": f"arn:aws:iot:eu-central-1:123456789012:cacert/{id_of(ca)}",
        "certificateId": id_of(ca),
        "status": status,
        "certificatePem": ca.pem,
        "certificateMode": mode,
        "autoRegistrationStatus": auto,
    }
    config = {"templateName": template} if template else {}
    return {"certificateDescription": known | more, "registrationConfig": config}


def of_project(stub, ca, project="est-server"):
    """Let AWS answer which project's tag a registration carries."""
    stub.add_response(
        "list_tags_for_resource",
        {"tags": [{"Key": "est-server:made-by", "Value": project}]},
        {"resourceArn": description(ca)["certificateDescription"]["certificateArn"]},
    )


@contextmanager
def stubbed(read_timeout=READ_TIMEOUT):
    """A Stubber on the client for calls with this patience."""
    with Stubber(aws_client("iot", read_timeout=read_timeout)) as stub:
        yield stub
        stub.assert_no_pending_responses()


@contextmanager
def no_such_ca(*ids):
    with stubbed() as stub:
        for one in ids:
            add_not_found(stub, one)
        yield stub


def add_not_found(stub, certificate_id):
    stub.add_client_error(
        "describe_ca_certificate",
        "ResourceNotFoundException",
        http_status_code=404,
        expected_params={"certificateId": certificate_id},
    )


@contextmanager
def courtesy(*, listed=((),), template=None):
    """What the calls get that we can do without: pages of the list, and the template."""
    with stubbed(COURTESY_SECONDS) as stub:
        markers = ["", *(f"{'A' * number}=" for number in range(1, len(listed)))]
        for number, (marker, ids) in enumerate(zip(markers, listed, strict=True)):
            page = {"certificates": [{"certificateId": one} for one in ids]}
            if number + 1 < len(listed):
                page["nextMarker"] = markers[number + 1]
            stub.add_response("list_ca_certificates", page, {"marker": marker} if marker else {})
        if template:
            stub.add_response(
                "describe_provisioning_template", template, {"templateName": TEMPLATE}
            )
        yield stub


@contextmanager
def requests_of(operation):
    """What is asked of ``operation``; works beside moto and beside a Stubber."""
    seen = []
    events = aws_client("iot").meta.events
    name = f"provide-client-params.iot.{operation}"

    def note(params, **_):
        seen.append(params)

    events.register(name, note)
    try:
        yield seen
    finally:
        events.unregister(name, note)
