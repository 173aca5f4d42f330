"""AWS IoT takes ten CAs of one subject; the warning comes before the limit."""

from iotprov.models import CARegistration
from pki.authorities.import_ca import import_authority
from pki.models import CertificateAuthority, IssuedCertificate
from tests.conftest import TESTER
from tests.iotprov.authorities.registering import (
    Purpose,
    State,
    courtesy,
    description,
    id_of,
    no_such_ca,
    pem_of,
    register,
)
from tests.support.builders import make_ca, make_csr, make_key


def _retired(device_ca, count, target="default"):
    """``count`` earlier CAs of the same subject, registered and retired."""
    cas = []
    for number in range(count):
        built = make_ca(key=make_key("ec-p256", 50 + number), subject=device_ca.certificate.subject)
        ca = import_authority(
            Purpose.DEVICE,
            f"old-{number}",
            [built.certificate],
            key=built.key,
            signer="keyfile",
            actor=TESTER,
        )
        CertificateAuthority.objects.filter(pk=ca.pk).update(
            status=CertificateAuthority.Status.RETIRING, is_every_certificate_recorded=True
        )
        CARegistration.objects.create(
            ca=ca, target=target, state=State.REGISTERED, certificate_id=f"{number:064x}"
        )
        cas.append(ca)
    return cas


def test_the_eighth_ca_of_a_subject_brings_a_warning(aws_cloud, device_ca):
    _retired(device_ca, 6)
    assert register(device_ca).note == ""

    built = make_ca(key=make_key("ec-p256", 80), subject=device_ca.certificate.subject)
    eighth = import_authority(
        Purpose.DEVICE, "x", [built.certificate], key=built.key, signer="keyfile", actor=TESTER
    )
    row = register(eighth)

    assert row.state == State.REGISTERED
    assert row.note.startswith(
        "8 CAs with the subject CN=EST Device CA are registered, and AWS takes 10. old-0, old-1"
    )
    assert "can be deleted (retired, without a live certificate)" in row.note


def test_cas_that_only_the_list_knows_count_too(aws_cloud, device_ca):
    _retired(device_ca, 6)
    other = make_ca(key=make_key("ec-p256", 90), subject=device_ca.certificate.subject)
    # One that is on record too, and one that isn't: eight with ours.
    listed = ("0" * 64, "e" * 64)
    with no_such_ca(id_of(device_ca)) as stub, courtesy(listed=(listed,), template={}):
        for one in listed:
            stub.add_response(
                "describe_ca_certificate",
                description(device_ca, certificatePem=pem_of(other.certificate)),
                {"certificateId": one},
            )
        stub.add_response(
            "register_ca_certificate",
            {"certificateId": id_of(device_ca), "certificateArn": "arn:aws:iot:x"},
        )
        row = register(device_ca)

    assert row.note.startswith("8 CAs with the subject")


def test_at_the_limit_it_says_which_ones_could_go(aws_cloud, device_ca, est_client):
    needed, unsure, free = _retired(device_ca, 3)
    est_client.simpleenroll(make_csr("sensor-1"))
    IssuedCertificate.objects.filter(common_name="sensor-1").update(ca=needed)
    CertificateAuthority.objects.filter(pk=unsure.pk).update(is_every_certificate_recorded=False)

    with no_such_ca(id_of(device_ca)) as stub, courtesy(template={"type": "JITP"}):
        stub.add_client_error("register_ca_certificate", "LimitExceededException")
        row = register(device_ca)

    assert row.state == State.FAILED
    assert row.error == (
        "iot:RegisterCACertificate failed. AWS takes 10 CAs with the subject CN=EST Device CA, and "
        f"default has them. {free} can be deleted (retired, without a live certificate). Set one "
        "INACTIVE in AWS IoT and delete it there."
    )


def test_at_the_limit_with_none_to_spare_it_says_so(aws_cloud, device_ca):
    with no_such_ca(id_of(device_ca)) as stub, courtesy(template={"type": "JITP"}):
        stub.add_client_error("register_ca_certificate", "LimitExceededException")
        row = register(device_ca)

    assert "None of those on record can be deleted yet" in row.error
