"""A CA that AWS IoT holds already is found, and brought to what is wanted."""

import pytest

from iotprov.authorities.ca_registration import plan_registration
from iotprov.authorities.iot_authorities import COURTESY_SECONDS
from iotprov.models import CARegistration
from pki.authorities.succeed import make_successor
from pki.aws.clients import aws_client
from pki.models import CertificateAuthority
from tests.conftest import TESTER
from tests.iotprov.authorities.registering import (
    HERE,
    TEMPLATE,
    State,
    courtesy,
    description,
    id_of,
    in_aws,
    no_such_ca,
    of_project,
    pem_of,
    register,
    stubbed,
)
from tests.support.aws_faults import Fault, aws_calls, failing
from tests.support.builders import make_ca

# One that is registered already is found


def test_a_ca_that_somebody_registered_is_found_by_its_certificate(aws_cloud, device_ca):
    aws_client("iot").register_ca_certificate(
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
    strange_id = aws_client("iot").register_ca_certificate(
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
        of_project(stub, device_ca)
        polite.add_response("describe_provisioning_template", {"type": "JITP"})
        stub.add_response("update_ca_certificate", {}, {"certificateId": id_of(device_ca), **asked})
        row = register(device_ca)

    assert (row.state, row.status) == (State.REGISTERED, "ACTIVE")
    assert (row.is_auto_registration_on, row.template_name) == (True, TEMPLATE)


@pytest.mark.parametrize("is_retired", [False, True])
def test_T60_a_registration_of_another_project_is_not_changed(aws_cloud, device_ca, is_retired):
    if is_retired:
        device_ca.status = CertificateAuthority.Status.REVOKED
    with stubbed() as stub:
        stub.add_response("describe_ca_certificate", description(device_ca, template="another"))
        of_project(stub, device_ca, "staging")
        row = register(device_ca)

    assert row.state == State.FAILED
    assert row.error == (
        f"The registration of device-ca ({id_of(device_ca)}) at default belongs to the project "
        "staging (its tag est-server:made-by), and this is the project est-server, which must not "
        "share it. AWS IoT holds a CA once in a region of an account. Let this project have a CA "
        "of its own, or another region."
    )


def test_T60_tags_that_may_not_be_read_stop_no_registration(aws_cloud, device_ca, without_jitp):
    with stubbed() as stub:
        held = description(device_ca, status="INACTIVE", auto="DISABLE", template="")
        stub.add_response("describe_ca_certificate", held)
        stub.add_client_error("list_tags_for_resource", "AccessDeniedException")
        stub.add_response(
            "update_ca_certificate", {}, {"certificateId": id_of(device_ca), "newStatus": "ACTIVE"}
        )
        assert register(device_ca).state == State.REGISTERED


def test_jitp_switched_off_takes_our_template_away(aws_cloud, device_ca, without_jitp):
    with stubbed() as stub:
        stub.add_response("describe_ca_certificate", description(device_ca))
        of_project(stub, device_ca)
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
        of_project(stub, device_ca)
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
    assert row.error == (
        "device-ca is not trusted any more, and default does not know it. Leave it so."
    )
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
        f"default has no provisioning template {TEMPLATE}. Run sync_policy, sync_template and "
        "register_ca, in this order."
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
