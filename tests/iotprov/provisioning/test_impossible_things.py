"""A device that enrolls and can never become a thing: who is told, and what is refused (T47)."""

import json
import logging
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from iotprov.documents.versions import add_version
from iotprov.models import DocumentVersion, Provisioning
from pki.models import AuditEvent, CertificateProfile
from pki.operators.errors import OperatorError
from tests.conftest import TESTER
from tests.iotprov.cloud import record
from tests.iotprov.conftest import template
from tests.support.builders import make_csr, make_key

pytestmark = pytest.mark.django_db(transaction=True)

Kind = DocumentVersion.Kind


@pytest.fixture(autouse=True)
def _template_of_the_sample(settings):
    """The template that the sample's configuration names takes countryName and serialNumber."""
    settings.IOT = replace(settings.IOT, configure_jitp=True)


def enroll(client, name="sensor-1", **csr):
    response = client.simpleenroll(make_csr(name, **csr))
    assert response.status_code == 200, response.text
    return record(response.certificate)


def told(row):
    return list(
        AuditEvent.objects.filter(action="no-thing", target=f"certificate:{row.serial_number}")
    )


def test_T47_an_enrollment_that_cannot_become_a_thing_says_so(
    earlier_profile, est_client, caplog, admin_client
):
    earlier_profile(iot_provisioning="jitp")

    with caplog.at_level(logging.WARNING):
        row = enroll(est_client)

    reason = "The template takes AWS::IoT::Certificate::SerialNumber from the subject"
    assert f"{row} cannot become a thing: {reason}" in caplog.text
    (event,) = told(row)
    assert event.reason.startswith(reason)
    assert event.actor == f"client:{row.client_fingerprint}"
    assert event.request_id == row.request_id
    page = admin_client.get(reverse("admin:pki_issuedcertificate_change", args=[row.pk])).text
    assert f"It cannot become a thing. {reason}" in page


def test_T47_with_all_that_the_template_takes_nothing_is_said(
    earlier_profile, est_client, use_template, admin_client
):
    earlier_profile(iot_provisioning="jitp")
    use_template(template())

    row = enroll(est_client)

    assert told(row) == []
    page = admin_client.get(reverse("admin:pki_issuedcertificate_change", args=[row.pk])).text
    assert "cannot become a thing" not in page


@pytest.mark.parametrize("mode", ["none", "jitp elsewhere"])
def test_T47_where_this_servers_template_has_no_say_nothing_is_said(
    earlier_profile, est_client, settings, mode
):
    settings.IOT = replace(settings.IOT, configure_jitp=False)
    earlier_profile(iot_provisioning=mode.split()[0])

    assert told(enroll(est_client)) == []


def test_T47_a_new_version_of_the_template_counts_at_the_next_enrollment(
    earlier_profile, est_client
):
    earlier_profile(iot_provisioning="jitp")
    assert told(enroll(est_client, "sensor-1", key=make_key(index=1)))

    add_version(Kind.TEMPLATE, json.dumps(template()), actor=TESTER, reason="common name only")
    assert not told(enroll(est_client, "sensor-2", key=make_key(index=2)))

    with CaptureQueriesContext(connection) as captured:
        enroll(est_client, "sensor-3", key=make_key(index=3))
    assert not [query for query in captured if "iotprov_documentversion" in query["sql"]]


def test_T47_in_mode_register_it_is_said_too_and_the_outbox_has_the_reason(
    cloud, earlier_profile, est_client, use_template
):
    body = template()
    body["Parameters"]["AWS::IoT::Certificate::Country"] = {"Type": "String"}
    use_template(body)
    earlier_profile(iot_provisioning="register")

    row = enroll(est_client)

    assert told(row)
    assert "no countryName" in Provisioning.objects.get().error


# Profiles


@pytest.mark.parametrize("mode", ["jitp", "register"])
def test_T47_a_switch_to_aws_iot_is_refused_where_devices_could_not_become_things(
    installation, mode
):
    with pytest.raises(CommandError) as raised:
        call_command("profile_set", "default", f"iot_provisioning={mode}", "--reason", "test")

    assert "The profile default does not require countryName, serialNumber in a subject" in (
        str(raised.value)
    )
    assert CertificateProfile.objects.get(active_label="").iot_provisioning == "none"


def test_T47_a_switch_is_made_when_every_certificate_has_what_the_template_takes(
    change_default_profile, use_template
):
    body = template()
    body["Parameters"]["AWS::IoT::Certificate::SerialNumber"] = {"Type": "String"}
    use_template(body)

    with pytest.raises(OperatorError, match="does not require serialNumber"):
        change_default_profile(iot_provisioning="jitp")
    change_default_profile(iot_provisioning="jitp", is_serial_number_required=True)
    with pytest.raises(OperatorError, match="does not require serialNumber"):
        change_default_profile(is_serial_number_required=False)


def test_T47_an_existing_profile_changes_in_every_other_respect(
    earlier_profile, change_default_profile
):
    earlier_profile(iot_provisioning="jitp")

    change_default_profile(validity_days=30)
    change_default_profile(iot_provisioning="register")
    with pytest.raises(OperatorError, match="does not allow countryName"):
        change_default_profile(subject_attributes=["serialNumber"])

    assert CertificateProfile.objects.get(active_label="").validity_days == 30
