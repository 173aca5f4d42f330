"""register_ca: AWS IoT accepts our device CAs, at every target, and holds each of them once."""

import datetime
import io
import json
from contextlib import contextmanager
from dataclasses import replace

import pytest
from botocore.stub import Stubber
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.core.management import CommandError, call_command
from moto.iot.models import iot_backends

from iotprov.authorities.registration import plan_registration, register_ca, register_everywhere
from iotprov.authorities.registry import COURTESY_SECONDS
from iotprov.conf import IoTTarget
from iotprov.models import CARegistration
from pki import aws
from pki.authorities import import_authority, make_successor
from pki.exceptions import OperatorError
from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate
from tests.aws_faults import Fault, aws_calls, failing
from tests.builders import make_ca, make_csr, make_key, make_name
from tests.conftest import TESTER

HERE = IoTTarget("default")
TEMPLATE = "est_iot_provisioning_template"
Purpose = CertificateAuthority.Purpose
State = CARegistration.State


@pytest.fixture(autouse=True)
def _jitp(settings):
    settings.IOT = replace(settings.IOT, is_jitp_configured=True, template_name=TEMPLATE)


@pytest.fixture
def without_jitp(settings, _jitp):
    settings.IOT = replace(settings.IOT, is_jitp_configured=False, tags=())


@pytest.fixture
def mode_default(settings, _jitp):
    settings.IOT = replace(settings.IOT, ca_certificate_mode="DEFAULT")


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


@contextmanager
def stubbed(patience=aws.READ_TIMEOUT):
    """A Stubber on the client for calls with this patience."""
    with Stubber(aws.client("iot", patience=patience)) as stub:
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
    events = aws.client("iot").meta.events
    name = f"provide-client-params.iot.{operation}"

    def note(params, **_):
        seen.append(params)

    events.register(name, note)
    try:
        yield seen
    finally:
        events.unregister(name, note)


# A new registration


def test_a_ca_is_registered_active_sni_only_and_with_the_jitp_template(
    aws_cloud, device_ca, settings
):
    settings.IOT = replace(settings.IOT, tags=(("CostCenter", "17"),))

    with requests_of("RegisterCACertificate") as asked:
        row = register(device_ca)

    assert asked == [
        {
            "caCertificate": device_ca.pem,
            "setAsActive": True,
            "certificateMode": "SNI_ONLY",
            "allowAutoRegistration": True,
            "registrationConfig": {"templateName": TEMPLATE},
            "tags": [{"Key": "CostCenter", "Value": "17"}],
        }
    ]
    assert row.state == State.REGISTERED
    assert (row.certificate_id, row.status, row.mode) == (id_of(device_ca), "ACTIVE", "SNI_ONLY")
    assert (row.is_auto_registration_on, row.template_name) == (True, TEMPLATE)
    assert row.arn.endswith(f":cacert/{row.certificate_id}") or row.arn.endswith(row.certificate_id)
    assert (row.error, row.note) == ("", "")
    assert row.checked_at is not None
    assert list(in_aws()) == [row.certificate_id]


def test_without_jitp_nothing_registers_itself(aws_cloud, device_ca, without_jitp):
    with requests_of("RegisterCACertificate") as asked:
        row = register(device_ca)

    assert asked == [
        {"caCertificate": device_ca.pem, "setAsActive": True, "certificateMode": "SNI_ONLY"}
    ]
    assert (row.is_auto_registration_on, row.template_name) == (False, "")


def test_the_signing_ca_is_registered_and_not_its_root(aws_cloud, installation):
    root = make_ca("Root")
    signing = make_ca("Signing", issuer=root)
    ca = import_authority(
        Purpose.DEVICE,
        "theirs",
        [signing.certificate, root.certificate],
        key=signing.key,
        signer="keyfile",
        actor=TESTER,
    )

    with requests_of("RegisterCACertificate") as asked:
        register(ca)

    assert [one["caCertificate"] for one in asked] == [pem_of(signing.certificate)]


def test_a_second_run_changes_nothing(aws_cloud, device_ca):
    register(device_ca)

    with aws_calls() as calls:
        row = register(device_ca)

    assert calls == ["iot:DescribeCACertificate"]
    assert row.state == State.REGISTERED
    assert CARegistration.objects.count() == 1
    assert AuditEvent.objects.filter(action="register-ca").count() == 1


def test_the_audit_row_says_what_is_held_where(aws_cloud, device_ca):
    register(device_ca)

    event = AuditEvent.objects.get(action="register-ca")
    assert (event.actor, event.target) == ("test", f"ca:{device_ca}")
    assert event.after["target"] == "default"
    assert event.after["certificate_id"] == id_of(device_ca)
    assert event.before["certificate_id"] == ""


# Mode DEFAULT: the proof that the key is ours


def test_mode_default_sends_a_certificate_that_the_ca_signed_over_the_code(
    aws_cloud, device_ca, mode_default
):
    code = "0123456789abcdef" * 4
    with (
        no_such_ca(id_of(device_ca)) as stub,
        courtesy(template={"type": "JITP"}),
        requests_of("RegisterCACertificate") as asked,
    ):
        stub.add_response("get_registration_code", {"registrationCode": code}, {})
        stub.add_response(
            "register_ca_certificate",
            {"certificateId": id_of(device_ca), "certificateArn": "arn:aws:iot:x"},
        )
        row = register(device_ca)

    (sent,) = asked
    assert sent["certificateMode"] == row.mode == "DEFAULT"
    proof = x509.load_pem_x509_certificate(sent["verificationCertificate"].encode())
    proof.verify_directly_issued_by(device_ca.certificate)
    assert proof.subject == x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, code)])
    assert proof.not_valid_after_utc - proof.not_valid_before_utc < datetime.timedelta(days=2)
    assert not proof.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert proof.public_key() != device_ca.certificate.public_key()


def test_mode_default_is_refused_for_a_ca_whose_key_is_elsewhere(
    aws_cloud, installation, mode_default
):
    theirs = make_ca("Their CA")
    ca = import_authority(
        Purpose.DEVICE, "theirs", [theirs.certificate], key=None, signer="", actor=TESTER
    )

    with aws_calls() as calls:
        row = register(ca)

    assert row.state == State.FAILED
    assert row.error == (
        "the key of theirs isn't here: set iotCaCertificateMode to SNI_ONLY, which takes no proof "
        "of it"
    )
    assert "iot:RegisterCACertificate" not in calls


def test_a_mode_that_aws_holds_otherwise_stays_and_is_spoken_of(aws_cloud, device_ca):
    with stubbed() as stub:
        stub.add_response("describe_ca_certificate", description(device_ca, mode="DEFAULT"))
        row = register(device_ca)

    assert (row.state, row.mode) == (State.REGISTERED, "DEFAULT")
    assert row.note == (
        "its certificate mode is DEFAULT and the configuration says SNI_ONLY: AWS can't change "
        "that, so it stays"
    )


# One that is registered already is found


def test_a_ca_that_somebody_registered_is_found_by_its_certificate(aws_cloud, device_ca):
    aws.client("iot").register_ca_certificate(
        caCertificate=device_ca.pem, certificateMode="SNI_ONLY", setAsActive=True
    )

    with aws_calls() as calls:
        row = register(device_ca)

    assert row.certificate_id == id_of(device_ca)
    assert "iot:RegisterCACertificate" not in calls


def test_the_text_of_a_pem_makes_no_difference(aws_cloud, device_ca):
    text = "Bag Attributes: none\n" + device_ca.pem.replace("\n", "\r\n")
    answer = description(device_ca, certificatePem=text)

    with stubbed() as stub:
        stub.add_response("describe_ca_certificate", answer)
        row = register(device_ca)

    assert row.state == State.REGISTERED


def test_an_id_on_record_is_tried_as_well(aws_cloud, device_ca):
    other_id = "f" * 64
    CARegistration.objects.create(ca=device_ca, target="default", certificate_id=other_id)
    with stubbed() as stub:
        stub.add_response(
            "describe_ca_certificate", description(device_ca), {"certificateId": other_id}
        )
        row = register(device_ca)

    assert row.certificate_id == other_id


def test_an_id_on_record_that_is_another_cas_by_now_isnt_taken(aws_cloud, device_ca):
    stranger = make_ca("Stranger").certificate
    strange_id = aws.client("iot").register_ca_certificate(
        caCertificate=pem_of(stranger), certificateMode="SNI_ONLY"
    )["certificateId"]
    CARegistration.objects.create(ca=device_ca, target="default", certificate_id=strange_id)

    row = register(device_ca)

    assert row.certificate_id == id_of(device_ca)
    assert in_aws()[strange_id].status == "INACTIVE"


def test_one_that_no_id_finds_is_found_in_the_list_page_by_page(aws_cloud, device_ca):
    stranger, odd = "a" * 64, "b" * 64
    with no_such_ca(id_of(device_ca)) as stub, courtesy(listed=((stranger,), (odd, "c" * 64))):
        stub.add_response(
            "describe_ca_certificate",
            description(device_ca, certificatePem=pem_of(make_ca("Stranger").certificate)),
            {"certificateId": stranger},
        )
        stub.add_response("describe_ca_certificate", description(device_ca), {"certificateId": odd})
        row = register(device_ca)

    assert (row.state, row.certificate_id) == (State.REGISTERED, odd)


def test_others_that_cant_be_read_are_passed_over(aws_cloud, device_ca):
    gone, broken, ours = "a" * 64, "b" * 64, "c" * 64
    with no_such_ca(id_of(device_ca), gone) as stub, courtesy(listed=((gone, broken, ours),)):
        stub.add_response("describe_ca_certificate", description(device_ca, certificatePem="?"))
        stub.add_response("describe_ca_certificate", description(device_ca))
        row = register(device_ca)

    assert row.certificate_id == ours


@pytest.mark.parametrize("fault", [Fault.ACCESS_DENIED, Fault.TIMEOUT, Fault.THROTTLE])
def test_a_list_that_isnt_to_be_had_doesnt_stop_the_registration(aws_cloud, device_ca, fault):
    with failing("iot", "ListCACertificates", fault) as met:
        row = register(device_ca)

    assert met.met == 1
    assert row.state == State.REGISTERED


def test_one_that_aws_says_is_there_already_is_compared_and_taken(aws_cloud, device_ca):
    with (
        no_such_ca(id_of(device_ca)) as stub,
        courtesy(template={"type": "JITP"}),
    ):
        stub.add_client_error(
            "register_ca_certificate",
            "ResourceAlreadyExistsException",
            http_status_code=409,
            response_meta={},
            modeled_fields={"resourceId": "d" * 64, "resourceArn": "arn:aws:iot:x"},
        )
        stub.add_response(
            "describe_ca_certificate", description(device_ca), {"certificateId": "d" * 64}
        )
        row = register(device_ca)

    assert (row.state, row.certificate_id) == (State.REGISTERED, "d" * 64)


def test_one_that_is_there_already_and_isnt_ours_is_a_failure(aws_cloud, device_ca):
    stranger = make_ca("Stranger").certificate
    with (
        no_such_ca(id_of(device_ca)) as stub,
        courtesy(template={"type": "JITP"}),
    ):
        stub.add_client_error(
            "register_ca_certificate",
            "ResourceAlreadyExistsException",
            "registered elsewhere",
            http_status_code=409,
            modeled_fields={"resourceId": "d" * 64},
        )
        stub.add_response(
            "describe_ca_certificate", description(device_ca, certificatePem=pem_of(stranger))
        )
        row = register(device_ca)

    assert row.state == State.FAILED
    assert "RegisterCACertificate failed with ResourceAlreadyExistsException" in row.error
    assert row.certificate_id == ""


# Brought to what is wanted


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ({"status": "INACTIVE"}, {"newStatus": "ACTIVE"}),
        (
            {"auto": "DISABLE"},
            {
                "newAutoRegistrationStatus": "ENABLE",
                "registrationConfig": {"templateName": TEMPLATE},
            },
        ),
        (
            {"template": "another"},
            {
                "newAutoRegistrationStatus": "ENABLE",
                "registrationConfig": {"templateName": TEMPLATE},
            },
        ),
        (
            {"status": "INACTIVE", "auto": "DISABLE", "template": ""},
            {
                "newStatus": "ACTIVE",
                "newAutoRegistrationStatus": "ENABLE",
                "registrationConfig": {"templateName": TEMPLATE},
            },
        ),
    ],
)
def test_only_what_differs_is_changed(aws_cloud, device_ca, held, asked):
    with stubbed() as stub, stubbed(COURTESY_SECONDS) as polite:
        stub.add_response("describe_ca_certificate", description(device_ca, **held))
        polite.add_response("describe_provisioning_template", {"type": "JITP"})
        stub.add_response("update_ca_certificate", {}, {"certificateId": id_of(device_ca), **asked})
        row = register(device_ca)

    assert (row.state, row.status) == (State.REGISTERED, "ACTIVE")
    assert (row.is_auto_registration_on, row.template_name) == (True, TEMPLATE)


def test_jitp_switched_off_takes_our_template_away(aws_cloud, device_ca, without_jitp):
    with stubbed() as stub:
        stub.add_response("describe_ca_certificate", description(device_ca))
        stub.add_response(
            "update_ca_certificate",
            {},
            {
                "certificateId": id_of(device_ca),
                "newAutoRegistrationStatus": "DISABLE",
                "removeAutoRegistration": True,
            },
        )
        row = register(device_ca)

    assert (row.is_auto_registration_on, row.template_name) == (False, "")


@pytest.mark.parametrize("template", ["", "another"])
def test_somebody_elses_auto_registration_is_left_alone(
    aws_cloud, device_ca, without_jitp, template
):
    with stubbed() as stub:
        stub.add_response("describe_ca_certificate", description(device_ca, template=template))
        row = register(device_ca)

    assert row.is_auto_registration_on
    assert row.template_name == template


def test_a_retiring_ca_stays_active_for_devices_that_are_yet_to_connect(aws_cloud, device_ca):
    register(device_ca)
    make_successor(device_ca, actor=TESTER, reason="old")
    device_ca.refresh_from_db()

    assert str(plan_registration(device_ca, HERE)) == (
        f"is registered as it should be ({id_of(device_ca)})"
    )


def test_a_revoked_ca_takes_in_no_further_device(aws_cloud, device_ca):
    device_ca.status = CertificateAuthority.Status.REVOKED
    with stubbed() as stub:
        stub.add_response("describe_ca_certificate", description(device_ca))
        stub.add_response(
            "update_ca_certificate",
            {},
            {
                "certificateId": id_of(device_ca),
                "newStatus": "INACTIVE",
                "newAutoRegistrationStatus": "DISABLE",
                "removeAutoRegistration": True,
            },
        )
        row = register(device_ca)

    assert (row.status, row.is_auto_registration_on) == ("INACTIVE", False)


def test_a_revoked_ca_isnt_made_known(aws_cloud, device_ca):
    device_ca.status = CertificateAuthority.Status.REVOKED

    row = register(device_ca)

    assert row.state == State.FAILED
    assert row.error == "device-ca is revoked, and default doesn't know it: leave it so"
    assert not in_aws()


# The template


def test_a_missing_template_says_which_commands_come_first(aws_cloud, device_ca):
    with stubbed(COURTESY_SECONDS) as polite, aws_calls() as calls:
        polite.add_client_error("list_ca_certificates", "UnauthorizedException")
        polite.add_client_error(
            "describe_provisioning_template", "ResourceNotFoundException", http_status_code=404
        )
        row = register(device_ca)

    assert row.state == State.FAILED
    assert row.error == (
        f"default has no provisioning template {TEMPLATE}: run sync_policy, sync_template and "
        "register_ca, in this order"
    )
    assert "iot:RegisterCACertificate" not in calls


def test_a_template_that_only_aws_can_see_is_missing(aws_cloud, device_ca):
    with no_such_ca(id_of(device_ca)) as stub, stubbed(COURTESY_SECONDS) as polite:
        polite.add_client_error("list_ca_certificates", "UnauthorizedException")
        polite.add_client_error("describe_provisioning_template", "UnauthorizedException")
        stub.add_client_error(
            "register_ca_certificate", "ResourceNotFoundException", http_status_code=404
        )
        row = register(device_ca)

    assert "has no provisioning template" in row.error


def test_a_template_for_fleet_provisioning_is_no_template_for_jitp(aws_cloud, device_ca):
    with courtesy(template={"type": "FLEET_PROVISIONING"}):
        row = register(device_ca)

    assert row.state == State.FAILED
    assert "is of type FLEET_PROVISIONING, and JITP takes one of type JITP" in row.error


# Ten of one subject


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
        "8 CAs with the subject CN=EST Device CA are registered, and AWS takes 10: old-0, old-1"
    )
    assert "could go (retired, and none of its certificates is live)" in row.note


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
        "iot:RegisterCACertificate failed: AWS takes 10 CAs with the subject CN=EST Device CA, and "
        f"default has them: {free} could go (retired, and none of its certificates is live): set "
        "it INACTIVE in AWS IoT and delete it there"
    )


def test_at_the_limit_with_none_to_spare_it_says_so(aws_cloud, device_ca):
    with no_such_ca(id_of(device_ca)) as stub, courtesy(template={"type": "JITP"}):
        stub.add_client_error("register_ca_certificate", "LimitExceededException")
        row = register(device_ca)

    assert "none of those on record can go yet" in row.error


# What AWS IoT doesn't take


def test_a_client_ca_is_refused_before_any_call(aws_cloud, client_ca):
    with aws_calls() as calls, pytest.raises(OperatorError, match="register a device CA"):
        register(client_ca)

    assert calls == []
    assert not CARegistration.objects.exists()


@pytest.mark.parametrize(
    ("key", "found"),
    [
        (ed25519.Ed25519PrivateKey.generate(), "ed25519"),
        (ec.generate_private_key(ec.SECP256K1()), "ec-secp256k1"),
    ],
)
def test_a_kind_of_key_that_aws_iot_doesnt_take_is_named(aws_cloud, device_ca, key, found):
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(make_name("Odd CA"))
        .issuer_name(make_name("Odd CA"))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None if found == "ed25519" else SHA256())
    )
    odd = CertificateAuthority(name="odd", purpose=Purpose.DEVICE, pem=pem_of(certificate))

    with (
        aws_calls() as calls,
        pytest.raises(
            OperatorError, match=f"the key of odd is {found}, which AWS IoT doesn't take"
        ),
    ):
        register(odd)
    assert calls == []


def test_a_ca_that_an_unfit_signature_vouches_for_is_named(aws_cloud, device_ca):
    root = ed25519.Ed25519PrivateKey.generate()
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(make_name("Odd CA"))
        .issuer_name(make_name("Odd Root"))
        .public_key(make_key().public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(root, None)
    )
    odd = CertificateAuthority(name="odd", purpose=Purpose.DEVICE, pem=pem_of(certificate))

    with pytest.raises(OperatorError, match=r"signed in a way that .* \(1\.3\.101\.112\)"):
        register(odd)


# Several targets


TARGETS = (
    HERE,
    IoTTarget("us", "us-east-1"),
    IoTTarget("other", "eu-west-1", "arn:aws:iam::210987654321:role/est"),
)


def test_every_region_and_account_gets_the_ca_in_one_run(aws_cloud, device_ca, settings):
    settings.IOT = replace(settings.IOT, targets=TARGETS)

    rows = register_everywhere(device_ca, actor=TESTER)

    assert [(row.target, row.state) for row in rows] == [
        (target.name, State.REGISTERED) for target in TARGETS
    ]
    held = {id_of(device_ca)}
    assert set(in_aws()) == set(in_aws("us-east-1")) == held
    assert set(in_aws("eu-west-1", "210987654321")) == held
    assert not in_aws("eu-west-1")


def test_a_target_that_fails_is_on_record_and_doesnt_stop_the_others(aws_cloud, device_ca):
    aws.forget_clients()
    with failing("sts", "AssumeRole", Fault.ACCESS_DENIED) as fault:
        here, other, us = register_everywhere(
            device_ca, actor=TESTER, targets=(TARGETS[0], TARGETS[2], TARGETS[1])
        )

    assert fault.met
    assert (here.state, us.state) == (State.REGISTERED, State.REGISTERED)
    assert other.state == State.FAILED
    assert "at other failed with AccessDenied" in other.error
    assert other.error == CARegistration.objects.get(target="other").error


def test_a_failure_forgets_nothing_of_what_was_known(aws_cloud, device_ca):
    register(device_ca)

    with failing("iot", "DescribeCACertificate", Fault.ACCESS_DENIED):
        row = register(device_ca)

    assert row.state == State.FAILED
    assert row.certificate_id == id_of(device_ca)
    assert register(device_ca).error == ""
    assert AuditEvent.objects.filter(action="register-ca").count() == 1


# Faults at every call


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize(
    ("operation", "is_known", "mode"),
    [
        ("DescribeCACertificate", False, "SNI_ONLY"),
        ("ListCACertificates", False, "SNI_ONLY"),
        ("DescribeProvisioningTemplate", False, "SNI_ONLY"),
        ("RegisterCACertificate", False, "SNI_ONLY"),
        ("GetRegistrationCode", False, "DEFAULT"),
        ("UpdateCACertificate", True, "SNI_ONLY"),
    ],
)
@pytest.mark.parametrize("attempts", [1, 10])
def test_T20_a_fault_at_any_call_leaves_the_ca_registered_once_by_the_next_run(
    aws_cloud, device_ca, settings, operation, is_known, mode, fault, attempts
):
    settings.IOT = replace(settings.IOT, ca_certificate_mode=mode)
    if is_known:
        aws.client("iot").register_ca_certificate(
            caCertificate=device_ca.pem, certificateMode="SNI_ONLY"
        )

    with failing("iot", operation, fault, times=1, attempts=attempts) as met:
        first = register(device_ca)
    row = register(device_ca)

    assert met.met == 1
    if first.state == State.FAILED:
        assert f"iot:{operation} failed with" in first.error
    assert row.state == State.REGISTERED, row.error
    assert CARegistration.objects.count() == 1
    assert [(one.certificate_id, one.status) for one in in_aws().values()] == [
        (id_of(device_ca), "ACTIVE")
    ]
    assert in_aws()[id_of(device_ca)].registration_config == {"templateName": TEMPLATE}
    assert AuditEvent.objects.filter(action="register-ca").count() == 1


def test_T20_a_registration_whose_answer_was_lost_isnt_made_again(aws_cloud, device_ca):
    with failing("iot", "RegisterCACertificate", Fault.SUCCESS_THEN_TIMEOUT, times=1):
        assert register(device_ca).state == State.FAILED

    with aws_calls() as calls:
        assert register(device_ca).state == State.REGISTERED
    assert "iot:RegisterCACertificate" not in calls


# The command


def run(*arguments):
    out = io.StringIO()
    call_command("register_ca", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_the_command_registers_every_active_device_ca(aws_cloud, device_ca):
    successor = make_successor(device_ca, actor=TESTER, reason="old")

    (line,) = run()

    assert line == (
        f"{successor} at default: registered, ACTIVE, JITP by {TEMPLATE}, id {id_of(successor)}"
    )
    assert run() == [line]
    assert run("device-ca")[0].startswith("device-ca at default: registered, ACTIVE")


def test_the_command_may_be_about_one_target(aws_cloud, device_ca, settings):
    settings.IOT = replace(settings.IOT, targets=TARGETS)

    (line,) = run("device-ca", "--target", "us")

    assert line.startswith("device-ca at us: registered")
    assert not in_aws()
    assert in_aws("us-east-1")


def test_a_dry_run_says_what_would_be_done_and_does_nothing(aws_cloud, device_ca):
    with aws_calls() as calls:
        lines = run("--dry-run")

    assert lines == [f"device-ca at default: would be registered, SNI_ONLY, JITP by {TEMPLATE}"]
    assert not any("Register" in call or "Update" in call for call in calls)
    assert not CARegistration.objects.exists()

    aws.client("iot").register_ca_certificate(
        caCertificate=device_ca.pem, certificateMode="SNI_ONLY"
    )
    assert run("--dry-run") == [
        "device-ca at default: would be changed: status INACTIVE -> ACTIVE, "
        f"auto registration off -> on, template none -> {TEMPLATE}"
    ]


@pytest.mark.parametrize("arguments", [(), ("--dry-run",)])
def test_a_failure_at_a_target_is_a_line_and_exit_code_3(
    aws_cloud, device_ca, settings, arguments, capsys
):
    settings.IOT = replace(settings.IOT, targets=TARGETS[:2])
    out = io.StringIO()
    with (
        failing("iot", "DescribeCACertificate", Fault.ACCESS_DENIED, times=1),
        pytest.raises(CommandError, match="1 failed") as caught,
    ):
        call_command("register_ca", *arguments, stdout=out)

    assert caught.value.returncode == 3
    first, second = out.getvalue().splitlines()
    assert first.startswith(
        "device-ca at default: failed: iot:DescribeCACertificate failed with AccessDeniedException"
    )
    assert first.endswith("let the role or user that this runs as call iot:DescribeCACertificate")
    assert second.startswith("device-ca at us: ")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nobody",), "there is no CA 'nobody'"),
        (("client-ca",), "register a device CA"),
        (("--target", "mars"), "there is no target 'mars' in iotTargets; there are: default"),
    ],
)
def test_what_isnt_there_is_named_and_exits_1(aws_cloud, device_ca, arguments, complaint):
    with pytest.raises(CommandError, match=complaint) as caught:
        run(*arguments)
    assert caught.value.returncode == 1


def test_before_bootstrap_there_is_nothing_to_register(aws_cloud, db):
    with pytest.raises(CommandError, match="run bootstrap_cas first"):
        run()


def test_no_key_and_no_proof_is_on_record(aws_cloud, device_ca, mode_default):
    register(device_ca)

    event = AuditEvent.objects.get(action="register-ca")
    said = json.dumps([event.before, event.after])
    assert "BEGIN" not in said
