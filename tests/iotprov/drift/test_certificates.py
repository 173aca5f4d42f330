"""What somebody changed in AWS's console is found, named in its direction, and mended."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from iotprov import drift as drift_package
from iotprov.documents.role import trust_policy
from iotprov.documents.versions import add_version
from iotprov.drift import Direction, Kind
from iotprov.models import DocumentPush, DocumentVersion, Provisioning
from pki.denylist.entries import deny
from pki.models import AuditEvent, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.iotprov.cloud import POLICY, Held, active, settle_all
from tests.iotprov.conftest import template
from tests.iotprov.drift.drifting import (
    HERE,
    agreed,
    found,
    listing_edge,
    repair,
)
from tests.support.builders import make_ca, make_certificate

__all__ = ["agreed", "listing_edge"]

TEMPLATE = "est_iot_provisioning_template"
ROLE = "ESTServerDeviceProvisioningRole"
DocumentKind = DocumentVersion.Kind


def said(differences):
    return [(one.kind, one.ours, one.theirs, one.direction) for one in differences]


def check_mended(*, deep=False):
    """What is ours is mended, and nothing of it is found again."""
    assert repair(deep=deep)
    assert found(deep=deep) == []


def test_I9_what_agrees_shows_no_difference(agreed):
    first = agreed.enroll("sensor-1")
    agreed.renew(first, key=1)
    revoke_certificate(agreed.enroll("sensor-2", key=2), reason="keyCompromise", actor=TESTER)
    deny("name", "sensor-3", reason="stolen", actor=TESTER)
    settle_all()

    assert found(deep=True) == []


# Certificates


@pytest.mark.parametrize("status", ["INACTIVE", "PENDING_TRANSFER"])
def test_a_certificate_of_another_status_is_mended(agreed, status):
    row = agreed.enroll("sensor-1")
    agreed.set_status(row, status)

    (one,) = found()

    assert said([one]) == [(Kind.CERTIFICATE, "ACTIVE", status, Direction.DIFFERS)]
    assert one.name == str(row)
    check_mended()
    assert agreed.cloud.held_of(row.fingerprint_sha256) == active("sensor-1")


def test_a_certificate_deleted_in_aws_is_registered_again_with_its_thing(agreed):
    row = agreed.enroll("sensor-1")
    agreed.delete(row)

    assert said(found()) == [(Kind.CERTIFICATE, "ACTIVE", "", Direction.HERE_ONLY)]
    check_mended()
    assert agreed.cloud.held_of(row.fingerprint_sha256) == active("sensor-1")


def test_a_certificate_revoked_here_and_active_in_aws_comes_first_and_is_stopped(agreed):
    deleted, revoked = agreed.enroll("sensor-1"), agreed.enroll("sensor-2", key=1)
    revoke_certificate(revoked, reason="keyCompromise", actor=TESTER)
    settle_all()
    agreed.set_status(deleted, "INACTIVE")
    agreed.set_status(revoked, "ACTIVE")

    first, second = found()

    assert (first.name, first.ours, first.theirs) == (str(revoked), "REVOKED", "ACTIVE")
    assert first.is_alarming
    assert str(first).startswith("default: ALARM: certificate sensor-2")
    assert not second.is_alarming
    check_mended()
    assert agreed.cloud.held_of(revoked.fingerprint_sha256) == Held("REVOKED")


def test_a_certificate_revoked_in_aws_is_named_and_left_revoked(agreed):
    row = agreed.enroll("sensor-1")
    agreed.set_status(row, "REVOKED")

    (one,) = found()

    assert said([one]) == [(Kind.CERTIFICATE, "ACTIVE", "REVOKED", Direction.DIFFERS)]
    assert not one.is_ours
    assert "enroll the device anew" in one.advice
    assert repair() == []
    assert agreed.cloud.held_of(row.fingerprint_sha256).status == "REVOKED"


def test_a_denied_device_that_somebody_let_in_again_is_stopped(agreed):
    row = agreed.enroll("sensor-1")
    deny("name", "SENSOR-1", reason="stolen", actor=TESTER)
    settle_all()
    agreed.set_status(row, "ACTIVE")

    assert said(found()) == [(Kind.CERTIFICATE, "INACTIVE", "ACTIVE", Direction.DIFFERS)]
    check_mended()


def test_a_certificate_that_should_be_gone_is_removed(agreed, clock, in_mode):
    in_mode("register", validity_days=30, overlap_days=7, iot_removal_days=20)
    row = agreed.enroll("sensor-1")
    agreed.renew(row, key=1)
    clock(days=60)
    settle_all()
    agreed.iot.register_certificate(
        certificatePem=row.pem, caCertificatePem=row.ca.pem, status="INACTIVE"
    )

    assert said(found()) == [(Kind.CERTIFICATE, "", "INACTIVE", Direction.AWS_ONLY)]
    check_mended()
    assert row.fingerprint_sha256 not in agreed.cloud.held()


def test_a_certificate_that_isnt_on_record_is_alarming_and_never_touched(agreed, device_ca):
    row = agreed.enroll("sensor-1")
    certificate_id = row.fingerprint_sha256
    Provisioning.objects.all().delete()
    IssuedCertificate.objects.all().delete()

    (one,) = found()

    assert said([one]) == [
        (Kind.CERTIFICATE, "", "ACTIVE, registered under device-ca", Direction.AWS_ONLY)
    ]
    assert (one.name, one.is_ours, one.is_alarming) == (certificate_id, False, True)
    assert "Find out who signed it." in one.advice
    assert repair() == []
    assert agreed.cloud.held_of(certificate_id) == active("sensor-1")


def test_a_stranger_under_a_ca_that_signs_elsewhere_too_is_no_alarm(agreed, device_ca):
    device_ca.is_every_certificate_recorded = False
    device_ca.save()
    stranger = make_certificate(make_ca(), "stranger").public_bytes(Encoding.PEM).decode()
    agreed.iot.register_certificate(
        certificatePem=stranger, caCertificatePem=device_ca.pem, status="ACTIVE"
    )

    (one,) = found()

    assert (one.direction, one.is_ours, one.is_alarming) == (Direction.AWS_ONLY, False, False)


def test_a_certificate_under_another_ca_is_named(agreed, device_ca):
    row = agreed.enroll("sensor-1")
    other = agreed.other_ca()
    agreed.delete(row)
    agreed.iot.register_certificate(
        certificatePem=row.pem, caCertificatePem=other.pem, status="ACTIVE"
    )

    theirs = "registered under other-ca"
    assert (Kind.CERTIFICATE, "of the CA device-ca", theirs, Direction.DIFFERS) in said(found())


def test_a_certificate_that_isnt_listed_yet_is_asked_for_before_anything_is_claimed(agreed):
    row = agreed.enroll("sensor-1")
    agreed.edge.unlisted.add(row.fingerprint_sha256)

    assert found() == []
    assert agreed.edge.parameters("DescribeCertificate") == {
        "certificateId": row.fingerprint_sha256
    }


def test_a_certificate_that_the_outbox_has_just_begun_with_is_no_repairs_business(agreed):
    row = agreed.enroll("sensor-1")
    deny("name", "sensor-1", reason="stolen", actor=TESTER)

    (one,) = found()

    assert one.is_under_way
    assert repair() == []
    assert agreed.cloud.held_of(row.fingerprint_sha256).status == "INACTIVE"  # by the drain


def test_a_certificate_that_the_outbox_cant_do_is_a_difference_with_its_error(agreed, clock):
    row = agreed.enroll("sensor-1")
    deny("name", "sensor-1", reason="stolen", actor=TESTER)
    Provisioning.objects.update(state="parked", error="iot:UpdateCertificate failed")
    agreed.set_status(row, "ACTIVE")

    (one,) = found()

    assert "The outbox failed at it: iot:UpdateCertificate failed. Correct that." in one.advice
    check_mended()


def test_a_device_that_jitp_will_make_need_not_be_there(agreed, in_mode):
    in_mode("jitp")
    row = agreed.enroll("sensor-1")
    assert found(deep=True) == []

    agreed.cloud.connect_first(row.to_x509(), ca=row.ca)
    assert found(deep=True) == []

    agreed.set_status(row, "INACTIVE")
    assert said(found()) == [(Kind.CERTIFICATE, "ACTIVE", "INACTIVE", Direction.DIFFERS)]
    check_mended()


def test_what_aws_isnt_told_of_is_only_named_when_it_is_revoked_here(agreed, in_mode):
    in_mode("none")
    row = agreed.enroll("sensor-1")
    agreed.cloud.connect_first(row.to_x509(), ca=row.ca)
    assert found(deep=True) == []

    revoke_certificate(row, reason="keyCompromise", actor=TESTER)

    (one,) = found()
    assert (one.is_alarming, one.is_ours) == (True, False)


# Things and policies


def test_a_thing_that_was_detached_is_found_by_a_deep_look_and_attached(agreed):
    row = agreed.enroll("sensor-1")
    agreed.iot.detach_thing_principal(thingName="sensor-1", principal=agreed.arn(row))
    assert found() == []

    assert said(found(deep=True)) == [(Kind.THING, "thing sensor-1", "", Direction.HERE_ONLY)]
    check_mended(deep=True)
    assert agreed.cloud.held_of(row.fingerprint_sha256) == active("sensor-1")


def test_another_thing_is_named_and_only_ours_is_mended(agreed):
    row = agreed.enroll("sensor-1")
    arn = agreed.arn(row)
    agreed.iot.create_thing(thingName="other")
    agreed.iot.attach_thing_principal(thingName="other", principal=arn)
    agreed.iot.detach_thing_principal(thingName="sensor-1", principal=arn)

    missing, extra = found(deep=True)

    assert said([missing]) == [
        (Kind.THING, "thing sensor-1", "thing other", Direction.DIFFERS),
    ]
    assert said([extra]) == [(Kind.THING, "", "thing other", Direction.AWS_ONLY)]
    assert not extra.is_ours
    assert repair(deep=True) == [missing]
    assert found(deep=True) == [extra]


def test_policies_missing_are_attached_and_others_are_named(agreed):
    row = agreed.enroll("sensor-1")
    arn = agreed.arn(row)
    agreed.iot.detach_policy(policyName=POLICY, target=arn)
    agreed.iot.create_policy(policyName="everything", policyDocument="{}")
    agreed.iot.attach_policy(policyName="everything", target=arn)

    missing, extra = found(deep=True)

    assert said([missing]) == [(Kind.THING, f"policy {POLICY}", "", Direction.HERE_ONLY)]
    assert said([extra]) == [(Kind.THING, "", "policy everything", Direction.AWS_ONLY)]
    repair(deep=True)
    assert found(deep=True) == [extra]


def test_a_renewed_certificate_has_what_its_predecessor_had(agreed):
    renewed = agreed.renew(agreed.enroll("sensor-1"), key=1)
    arn = agreed.arn(renewed)
    agreed.iot.detach_thing_principal(thingName="sensor-1", principal=arn)
    agreed.iot.detach_policy(policyName=POLICY, target=arn)

    assert said(found(deep=True)) == [
        (Kind.THING, "thing sensor-1", "", Direction.HERE_ONLY),
        (Kind.THING, f"policy {POLICY}", "", Direction.HERE_ONLY),
    ]
    check_mended(deep=True)
    assert agreed.cloud.held_of(renewed.fingerprint_sha256) == active("sensor-1")


def test_a_revoked_certificate_that_was_attached_again_is_detached(agreed):
    row = agreed.enroll("sensor-1")
    revoke_certificate(row, reason="keyCompromise", actor=TESTER)
    settle_all()
    agreed.iot.attach_policy(policyName=POLICY, target=agreed.arn(row))

    assert said(found(deep=True)) == [(Kind.THING, "", f"policy {POLICY}", Direction.AWS_ONLY)]
    check_mended(deep=True)


# Documents


def put_policy(agreed, body):
    return agreed.iot.create_policy_version(
        policyName=POLICY, policyDocument=body, setAsDefault=True
    )["policyVersionId"]


def test_a_policy_changed_in_the_console_is_put_back(agreed):
    version = put_policy(agreed, '{"Version": "2012-10-17", "Statement": []}')

    (one,) = found()

    assert said([one]) == [
        (
            Kind.POLICY,
            "the configured file",
            f"another text, version {version} (version 1 was pushed last)",
            Direction.DIFFERS,
        )
    ]
    check_mended()


def test_a_policy_of_the_same_text_in_another_version_is_put_on_record(agreed):
    body = agreed.iot.get_policy(policyName=POLICY)["policyDocument"]
    version = put_policy(agreed, json.dumps(json.loads(body), indent=1))

    assert said(found()) == [
        (Kind.POLICY, "version 1", f"version {version}, of the same text", Direction.DIFFERS)
    ]
    check_mended()
    assert DocumentPush.objects.get(kind="policy").aws_version == version


def test_a_version_that_was_never_pushed_is_a_difference(agreed):
    body = json.dumps(template(AttributePayload="REPLACE"))
    version = add_version(DocumentKind.TEMPLATE, body, actor=TESTER, reason="test")

    assert said(found()) == [
        (Kind.TEMPLATE, str(version), "another text, version 1", Direction.DIFFERS)
    ]
    check_mended()


def test_missing_documents_are_pushed_the_policy_first(agreed):
    agreed.edge.templates.clear()
    agreed.iot.delete_policy(policyName=POLICY)

    assert said(found()) == [
        (Kind.POLICY, "the configured file", "", Direction.HERE_ONLY),
        (Kind.TEMPLATE, "the configured file", "", Direction.HERE_ONLY),
    ]
    check_mended()


def test_a_template_disabled_or_with_another_role_is_put_right(agreed):
    agreed.edge.templates[TEMPLATE] |= {"enabled": False, "provisioningRoleArn": "arn:theirs"}

    ours = f"works with arn:aws:iam::123456789012:role/{ROLE}"
    assert said(found()) == [
        (Kind.TEMPLATE, ours, "works with arn:theirs", Direction.DIFFERS),
        (Kind.TEMPLATE, "enabled", "disabled", Direction.DIFFERS),
    ]
    check_mended()


def test_a_template_of_another_type_isnt_ours_to_mend(agreed):
    agreed.edge.templates[TEMPLATE]["type"] = "FLEET_PROVISIONING"

    (one,) = found()

    assert (one.theirs, one.is_ours) == ("type FLEET_PROVISIONING", False)


def test_a_role_whose_trust_was_widened_is_put_right_and_a_policy_of_it_named(agreed):
    iam = agreed.iam
    trust = trust_policy("123456789012")
    del trust["Statement"][0]["Condition"]
    iam.update_assume_role_policy(RoleName=ROLE, PolicyDocument=json.dumps(trust))
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=admin)

    trust, policy = found()

    assert (trust.kind, trust.is_ours) == (Kind.ROLE, True)
    assert (policy.kind, policy.is_ours) == (Kind.ROLE, False)
    assert admin in policy.advice
    repair()
    assert found() == [policy]


def test_a_role_that_is_gone_is_made_again(agreed):
    policy = "arn:aws:iam::aws:policy/service-role/AWSIoTThingsRegistration"
    agreed.iam.detach_role_policy(RoleName=ROLE, PolicyArn=policy)
    agreed.iam.delete_role(RoleName=ROLE)

    assert said(found()) == [(Kind.ROLE, "a role for JITP", "", Direction.HERE_ONLY)]
    check_mended()


def test_documents_that_nobody_uses_arent_missed(agreed, settings, in_mode):
    in_mode("none")
    settings.IOT = replace(settings.IOT, configure_jitp=False, template_name="t")
    settings.IOT = replace(settings.IOT, policy_name="p")

    assert [one for one in found() if one.kind in (Kind.POLICY, Kind.TEMPLATE, Kind.ROLE)] == []


# CAs


def test_a_ca_changed_in_the_console_is_put_back(agreed, device_ca):
    agreed.iot.update_ca_certificate(
        certificateId=device_ca.fingerprint_sha256, newStatus="INACTIVE"
    )

    assert said(found()) == [
        (Kind.CA, "status ACTIVE", "status INACTIVE", Direction.DIFFERS),
    ]
    check_mended()


# Repair


def test_a_repair_is_on_the_audit_trail_with_its_reason(agreed):
    row = agreed.enroll("sensor-1")
    agreed.set_status(row, "INACTIVE")
    put_policy(agreed, "{}")
    repair()

    events = AuditEvent.objects.filter(action="repair-drift").order_by("at")
    assert [(one.actor, one.reason, one.before, one.after) for one in events][1] == (
        TESTER.name,
        "test",
        {"aws": "INACTIVE"},
        {"aws": "ACTIVE"},
    )
    assert [one.target for one in events] == [
        f"policy:{POLICY}@default",
        f"certificate:{row}@default",
    ]


def test_a_repair_needs_a_reason(db):
    with pytest.raises(OperatorError, match="needs a reason"):
        drift_package.Repair(HERE, actor=TESTER, reason=" ")
