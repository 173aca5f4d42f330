"""What becomes of a certificate in AWS IoT, from its first day to its last."""

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from iotprov.conf import IoTTarget
from iotprov.models import Provisioning
from iotprov.provisioning.worker import drain
from pki.denylist.entries import allow, deny
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.iotprov.cloud import GROUP, POLICY, Cloud, Held, active, record, settle_all
from tests.iotprov.conftest import template
from tests.support.aws_faults import Fault, Refusal, aws_calls, failing
from tests.support.builders import make_csr, make_key

CALLS_OF_A_REGISTRATION = [
    "iot:DescribeThing",
    "iot:RegisterCertificate",
    "iot:AttachPolicy",
    "iot:CreateThing",
    "iot:AddThingToThingGroup",
    "iot:AttachThingPrincipal",
]


@pytest.fixture
def enroll(est_client):
    """Enroll a name; returns the certificate."""

    def send(name="sensor-1", key=0):
        response = est_client.simpleenroll(make_csr(name, key=make_key(index=key)))
        assert response.status_code == 200, response.text
        return response.certificate

    return send


@pytest.fixture
def renew(est_client):
    """Renew a certificate with itself, for a new key."""

    def send(certificate, name="sensor-1", key=1):
        csr = make_csr(name, key=make_key(index=key))
        response = est_client.using(certificate).simplereenroll(csr)
        assert response.status_code == 200, response.text
        return response.certificate

    return send


def rows():
    return list(Provisioning.objects.order_by("id"))


# Registration


def test_a_device_is_a_thing_before_it_has_its_answer(cloud, in_mode, enroll):
    in_mode("register")

    with aws_calls() as calls:
        row = record(enroll())

    assert calls == CALLS_OF_A_REGISTRATION
    cloud.check_agreement({row: active("sensor-1")})
    assert cloud.group() == ["sensor-1"]
    assert cloud.iot.describe_thing(thingName="sensor-1")["attributes"] == {"version": "v1"}
    (settled,) = rows()
    assert (settled.state, settled.aws_status, settled.thing_name) == (
        "settled",
        "ACTIVE",
        "sensor-1",
    )
    assert settled.aws_certificate_id == row.fingerprint_sha256
    assert settled.next_attempt_at == row.not_after


def test_a_thing_that_exists_stays_as_it_is(cloud, in_mode, enroll):
    in_mode("register")
    cloud.iot.create_thing(thingName="sensor-1", attributePayload={"attributes": {"made": "by-us"}})

    row = record(enroll())

    cloud.check_agreement({row: active("sensor-1")})
    assert cloud.iot.describe_thing(thingName="sensor-1")["attributes"] == {"made": "by-us"}
    assert cloud.group() == []


@pytest.mark.parametrize(
    ("word", "attributes", "groups"),
    [
        ("MERGE", {"made": "by-us", "version": "v1"}, {GROUP, "other"}),
        ("REPLACE", {"version": "v1"}, {GROUP}),
    ],
)
def test_a_thing_that_exists_is_changed_as_the_template_says(
    cloud, in_mode, enroll, use_template, word, attributes, groups
):
    in_mode("register")
    use_template(template(AttributePayload=word, ThingGroups=word))
    cloud.iot.create_thing(thingName="sensor-1", attributePayload={"attributes": {"made": "by-us"}})
    cloud.iot.create_thing_group(thingGroupName="other")
    cloud.iot.add_thing_to_thing_group(thingGroupName="other", thingName="sensor-1")

    enroll()

    assert cloud.iot.describe_thing(thingName="sensor-1")["attributes"] == attributes
    found = cloud.iot.list_thing_groups_for_thing(thingName="sensor-1")["thingGroups"]
    assert {group["groupName"] for group in found} == groups


def test_a_template_that_says_fail_leaves_the_thing_and_says_so(
    cloud, in_mode, enroll, use_template
):
    in_mode("register")
    use_template(template(AttributePayload="FAIL"))
    cloud.iot.create_thing(thingName="sensor-1")

    enroll()

    (row,) = rows()
    assert row.state == "pending"
    assert "exists with other attributes than the template's" in row.error
    assert cloud.iot.describe_thing(thingName="sensor-1")["attributes"] == {}


def test_a_certificate_that_is_there_already_is_compared_not_doubled(cloud, in_mode, enroll):
    in_mode("register")
    with failing("iot", "RegisterCertificate", Fault.SUCCESS_THEN_TIMEOUT, times=1):
        row = record(enroll())
    assert rows()[0].state == "pending"

    assert settle_all() == 0

    cloud.check_agreement({row: active("sensor-1")})


def test_the_device_gets_its_certificate_whatever_aws_says(cloud, in_mode, enroll):
    in_mode("register")
    for index, fault in enumerate(Fault):
        with failing("iot", "RegisterCertificate", fault):
            enroll(f"sensor-{index}", key=index)
        assert "iot:RegisterCertificate failed with" in rows()[0].error or index > 0

    settle_all()
    assert cloud.things() == [f"sensor-{index}" for index in range(len(Fault))]


def test_a_request_does_not_wait_for_a_target_that_failed_a_moment_ago(cloud, in_mode, enroll):
    in_mode("register")
    with failing("iot", "RegisterCertificate", Fault.TIMEOUT) as failed:
        enroll("sensor-1", key=1)
        enroll("sensor-2", key=2)

    assert failed.met == 1
    first, second = rows()
    assert (first.attempts, second.attempts) == (1, 0)
    drain()
    assert cloud.things() == ["sensor-2"]  # the first one's next attempt is in a few seconds


def test_no_time_is_no_failure(cloud, in_mode, enroll, settings):
    settings.IOT = replace(settings.IOT, request_seconds=0)
    in_mode("register")

    with aws_calls() as calls:
        enroll()

    assert calls == []
    (row,) = rows()
    assert (row.state, row.attempts, row.error, row.lease) == ("pending", 0, "", None)
    drain()
    assert cloud.things() == ["sensor-1"]


def test_an_unregistered_ca_is_named_with_what_to_do(cloud, in_mode, enroll):
    in_mode("register")
    with failing("iot", "RegisterCertificate", Refusal("CertificateValidationException")):
        enroll()

    (row,) = rows()
    assert "does not take a certificate of this CA at the target default" in row.error
    assert "Run register_ca" in row.error
    assert row.state == "pending"


def test_a_policy_that_does_not_exist_is_named_with_what_to_do(cloud, in_mode, enroll):
    in_mode("register")
    cloud.iot.delete_policy(policyName=POLICY)

    enroll()

    assert f"The policy {POLICY} does not exist there. Run sync_policy" in rows()[0].error


# Profiles that need no row


@pytest.mark.parametrize("mode", ["none", "jitp"])
def test_enrolling_costs_nothing_where_aws_iot_is_not_told(cloud, in_mode, enroll, mode):
    counts = []
    for index, chosen in enumerate(("none", mode)):
        in_mode(chosen)
        enroll(f"warm-{index}", key=index * 2)
        with CaptureQueriesContext(connection) as captured, aws_calls() as calls:
            enroll(f"sensor-{index}", key=index * 2 + 1)
        counts.append(len(captured))
        assert calls == []

    assert counts[0] == counts[1]
    assert rows() == []


def test_renewing_where_iot_lives_elsewhere_costs_nothing(cloud, in_mode, enroll, renew):
    in_mode("none")

    with aws_calls() as calls:
        renew(enroll())

    assert calls == []
    assert rows() == []


# Renewal


@pytest.mark.parametrize("mode", ["jitp", "register"])
def test_a_renewed_certificate_is_attached_to_the_same_thing(cloud, in_mode, enroll, renew, mode):
    in_mode(mode)
    first = enroll()
    if mode == "jitp":
        cloud.connect_first(first)

    second = renew(first)

    cloud.check_agreement({record(first): active("sensor-1"), record(second): active("sensor-1")})
    assert cloud.group() == ["sensor-1"]


def test_a_renewed_certificate_has_the_policies_of_the_old_one(cloud, in_mode, enroll, renew):
    in_mode("jitp")
    cloud.iot.create_policy(policyName="special", policyDocument="{}")
    first = enroll()
    cloud.connect_first(first, policy="special", thing="known-as-this")

    second = renew(first)

    special = Held("ACTIVE", frozenset({"known-as-this"}), frozenset({"special"}))
    cloud.check_agreement({record(first): special, record(second): special})


def test_a_device_that_never_connected_is_left_to_jitp_and_that_is_noted(
    cloud, in_mode, enroll, renew
):
    in_mode("jitp")

    second = renew(enroll())

    assert cloud.held() == {}
    row = Provisioning.objects.get(certificate=record(second))
    assert row.state == "settled"
    assert "no thing sensor-1 here" in row.note


def test_renewals_that_aws_missed_find_the_thing_through_the_older_certificate(
    cloud, in_mode, enroll, renew
):
    in_mode("jitp")
    first = enroll()
    cloud.connect_first(first)
    with failing("iot", "DescribeCertificate", Fault.TIMEOUT):
        second = renew(first, key=1)
        third = renew(second, key=2)

    settle_all()

    expected = dict.fromkeys(map(record, (first, second, third)), active("sensor-1"))
    cloud.check_agreement(expected)


def test_the_old_certificate_stays_then_stops_then_goes(cloud, in_mode, enroll, renew, clock):
    in_mode("register", overlap_days=7, iot_removal_days=30)
    first = enroll()
    old, new = record(first), record(renew(first))

    def timeline():
        drain()
        held = cloud.held()
        return {name: held.get(row.fingerprint_sha256) for name, row in known.items()}

    known = {"old": old, "new": new}
    in_use = active("sensor-1")
    clock(days=6, hours=23)
    assert timeline() == {"old": in_use, "new": in_use}
    clock(hours=2)
    assert timeline() == {"old": Held("INACTIVE", in_use.things, in_use.policies), "new": in_use}
    clock(days=29)
    assert timeline()["old"].status == "INACTIVE"
    clock(days=2)
    assert timeline() == {"old": None, "new": in_use}
    clock(days=350)
    assert timeline()["new"].status == "INACTIVE"  # expired, and never renewed
    clock(days=31)
    assert timeline() == {"old": None, "new": None}
    assert cloud.things() == ["sensor-1"]
    assert not Provisioning.objects.exclude(next_attempt_at=None).exists()


def test_a_renewal_calls_aws_for_the_new_certificate_alone(cloud, in_mode, enroll, renew):
    in_mode("register")
    first = enroll()

    with aws_calls() as calls:
        renew(first)
        drain()

    assert calls.count("iot:RegisterCertificate") == 1
    assert len(calls) == 6
    assert not Provisioning.objects.pending().exists()


def test_what_jitp_would_bring_back_is_kept_inactive_until_it_expires(
    cloud, in_mode, enroll, renew, clock
):
    in_mode("jitp", overlap_days=7, iot_removal_days=30)
    first = enroll()
    cloud.connect_first(first)
    second = record(renew(first))
    clock(days=40)

    drain()

    cloud.check_agreement({record(first): Held("INACTIVE"), second: active("sensor-1")})
    clock(days=360)
    settle_all()
    assert record(first).fingerprint_sha256 not in cloud.held()


def test_the_old_certificate_is_not_stopped_before_the_new_one_works(
    cloud, in_mode, enroll, renew, clock
):
    in_mode("register", overlap_days=7)
    first = enroll()
    with failing("iot", "RegisterCertificate", Fault.SERVER_ERROR):
        second = renew(first)
        clock(days=8)
        drain()
        assert cloud.held() == {record(first).fingerprint_sha256: active("sensor-1")}
        old = Provisioning.objects.get(certificate=record(first))
        assert "its successor is not ACTIVE" in old.note

    clock(days=2)
    drain()  # in whatever order
    clock(days=2)
    drain()

    held = cloud.held()
    assert held[record(second).fingerprint_sha256] == active("sensor-1")
    assert held[record(first).fingerprint_sha256].status == "INACTIVE"


# Revoke and deny


def test_a_revoked_certificate_is_dead_in_aws_iot(cloud, in_mode, enroll):
    in_mode("register")
    row = record(enroll())

    revoke_certificate(row, reason="keyCompromise", actor=TESTER)
    drain()

    assert cloud.held() == {row.fingerprint_sha256: Held("REVOKED")}
    (settled,) = rows()
    assert (settled.aws_status, settled.thing_name) == ("REVOKED", "")


def test_I9_a_revoked_certificate_that_never_connected_is_registered_as_revoked(
    cloud, in_mode, enroll
):
    """Unknown to AWS IoT, JITP would take it for a new device."""
    in_mode("jitp")
    row = record(enroll())

    revoke_certificate(row, reason="keyCompromise", actor=TESTER)
    with aws_calls() as calls:
        drain()

    assert cloud.held() == {row.fingerprint_sha256: Held("REVOKED")}
    assert "iot:RegisterCertificate" in calls


def test_a_denied_device_is_stopped_and_goes_on_when_it_is_allowed(cloud, in_mode, enroll):
    in_mode("register")
    row = record(enroll())
    in_use = active("sensor-1")

    deny("name", "sensor-1", reason="stolen", actor=TESTER)
    drain()
    stopped = Held("INACTIVE", in_use.things, in_use.policies)
    assert cloud.held() == {row.fingerprint_sha256: stopped}

    allow("name", "sensor-1", reason="found", actor=TESTER)
    drain()
    assert cloud.held() == {row.fingerprint_sha256: in_use}


def test_a_denied_device_goes_on_when_the_entry_expires(cloud, in_mode, enroll, clock):
    in_mode("register")
    row = record(enroll())
    until = timezone.now() + timedelta(days=1)
    deny("name", "sensor-1", reason="for a day", actor=TESTER, expires_at=until)
    drain()
    assert cloud.held()[row.fingerprint_sha256].status == "INACTIVE"
    assert rows()[0].next_attempt_at == until

    clock(days=1, minutes=1)
    drain()

    assert cloud.held() == {row.fingerprint_sha256: active("sensor-1")}


def test_a_denied_device_that_never_connected_can_again_when_it_is_allowed(cloud, in_mode, enroll):
    in_mode("jitp")
    certificate = enroll()
    row = record(certificate)

    deny("name", "sensor-1", reason="stolen", actor=TESTER)
    drain()
    assert cloud.held() == {row.fingerprint_sha256: Held("INACTIVE")}

    allow("name", "sensor-1", reason="found", actor=TESTER)
    drain()
    assert cloud.held() == {}
    cloud.connect_first(certificate)


@pytest.mark.parametrize("stop", ["revoke", "deny"])
def test_jitp_that_is_under_way_does_not_have_the_last_word(cloud, in_mode, enroll, clock, stop):
    """The device connects for the first time in the moment in which it is stopped."""
    in_mode("jitp")
    certificate = enroll()
    row = record(certificate)
    cloud.connect_first(certificate)
    status = {"certificateId": row.fingerprint_sha256}
    cloud.iot.update_certificate(**status, newStatus="PENDING_ACTIVATION")

    if stop == "revoke":
        revoke_certificate(row, reason="keyCompromise", actor=TESTER)
    else:
        deny("name", "sensor-1", reason="stolen", actor=TESTER)
    drain()
    cloud.iot.update_certificate(**status, newStatus="ACTIVE")  # JITP gets to its end
    clock(minutes=1, seconds=1)
    drain()

    stopped = {"revoke": "REVOKED", "deny": "INACTIVE"}[stop]
    assert cloud.held_of(row.fingerprint_sha256).status == stopped


def test_one_that_is_revoked_in_aws_never_comes_back(cloud, in_mode, enroll):
    in_mode("register")
    row = record(enroll())
    cloud.iot.update_certificate(certificateId=row.fingerprint_sha256, newStatus="REVOKED")

    deny("name", "sensor-1", reason="stolen", actor=TESTER)
    drain()
    assert cloud.held()[row.fingerprint_sha256].status == "REVOKED"
    allow("name", "sensor-1", reason="found", actor=TESTER)
    drain()

    assert cloud.held()[row.fingerprint_sha256].status == "REVOKED"
    assert "has it REVOKED" in rows()[0].note


def test_a_revocation_goes_before_a_storm_of_registrations(cloud, in_mode, enroll, settings):
    in_mode("register")
    row = record(enroll("sensor-0", key=9))
    settings.IOT = replace(settings.IOT, request_seconds=0)
    for index in range(3):
        enroll(f"storm-{index}", key=index)
    revoke_certificate(row, reason="keyCompromise", actor=TESTER)

    drain(limit=1)

    assert cloud.held() == {row.fingerprint_sha256: Held("REVOKED")}


# Several targets


def test_each_target_has_a_row_and_fails_for_itself(cloud, in_mode, enroll, settings):
    in_mode("register")
    settings.IOT = replace(settings.IOT, targets=(IoTTarget("eu"), IoTTarget("us", "us-east-1")))

    certificate = record(enroll())  # nothing is prepared in us-east-1

    by_target = {one.target: one for one in rows()}
    assert {name: one.state for name, one in by_target.items()} == {
        "eu": "settled",
        "us": "pending",
    }
    assert f"The policy {POLICY} does not exist there" in by_target["us"].error
    other = Cloud.prepared("us-east-1")
    settle_all()
    other.check_agreement({certificate: active("sensor-1")})
    cloud.check_agreement({certificate: active("sensor-1")})


def test_a_target_that_is_configured_no_more_is_named(cloud, in_mode, enroll, settings):
    in_mode("register")
    settings.IOT = replace(settings.IOT, targets=(IoTTarget("old"),), request_seconds=0)
    enroll()
    settings.IOT = replace(settings.IOT, targets=(IoTTarget("new"),))

    drain()

    assert "The configuration no longer has the target old." in rows()[0].error


ENROLL_BY_JITP = """
import sys
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from pki.authorities.bootstrap import bootstrap_cas
from tests.support.builders import make_csr
from tests.support.est_client import ESTClient
from django.conf import settings
from pki.record.audit_trail import Actor
from dataclasses import replace
profile = replace(settings.PKI.profile, iot_provisioning="jitp")
settings.PKI = replace(settings.PKI, profile=profile)
settings.IOT = replace(settings.IOT, configure_jitp=True)  # so the template is read too
bootstrap_cas(actor=Actor("test"))
client = ESTClient.from_files(settings.EST_DATA_DIR / "test-client.pem")
assert client.simpleenroll(make_csr()).status_code == 200
sys.exit(any(name.startswith("boto") for name in sys.modules))
"""


def test_an_enrollment_by_jitp_never_loads_boto3():
    done = subprocess.run(
        [sys.executable, "-c", ENROLL_BY_JITP],
        cwd=Path(__file__).parents[3],
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
