"""Profiles, template and policy by the API: validation, versions, and no lost update."""

import json

import pytest

from estserver.deploy.truststore.pushes import wanted_bundle
from iotprov.models import DocumentVersion
from pki.models import AuditEvent, CertificateProfile
from tests.iotprov.aws_edge import aws_edge
from tests.iotprov.samples import POLICY
from tests.support.builders import make_csr

__all__ = ["aws_edge"]

pytestmark = pytest.mark.django_db(transaction=True)


def change(program, etag, dry_run=False, **settings):
    headers = {"If-Match": etag} if etag else {}
    body = {"settings": settings, "reason": "test", "dry_run": dry_run}
    return program.send("patch", "profiles/default", body, **headers)


def test_T61_a_profile_is_changed_from_the_version_that_was_read_only(officer):
    read = officer.get("profiles/default")
    assert (read["ETag"], read.json()["version"]) == ('"v1"', 1)

    without = change(officer, "", validity_days=90)
    dry = change(officer, '"v1"', dry_run=True, validity_days=90)
    assert CertificateProfile.objects.count() == 1
    done = change(officer, '"v1"', validity_days=90)
    stale = change(officer, '"v1"', validity_days=30)

    assert (without.status_code, without.json()["code"]) == (428, "api-version-missing")
    assert dry.json()["changes"] == {"validity_days": {"before": 365, "after": 90}}
    assert (done.status_code, done["ETag"], done.json()["profile"]["version"]) == (200, '"v2"', 2)
    assert (stale.status_code, stale["ETag"]) == (412, '"v2"')
    assert stale.json()["changes"] == {"validity_days": {"before": 365, "after": 90}}
    event = AuditEvent.objects.get(action="change-profile")
    assert (event.actor, event.reason) == ("admin:ca-officer (token ci)", "test")
    versions = officer.get("profiles/default/versions").json()["results"]
    assert [(row["version"], row["is_in_force"]) for row in versions] == [(2, True), (1, False)]


WRONG = (
    ({"validity": 9}, "settings.validity", "Did you mean validity_days?"),
    ({"validity_days": "ten"}, "settings.validity_days", "wanted a whole number"),
    ({"label=x": "y"}, "settings.label=x", "="),
    ({"key_algorithms": []}, "settings.key_algorithms", "At least one is needed"),
    ({"ca": "nobody"}, "settings.ca", "Known CAs"),
)


def test_a_wrong_setting_is_named_and_nothing_changes(officer):
    for given, field, words in WRONG:
        answer = change(officer, '"v1"', **given)

        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert error["field"] == field
        assert words in error["message"]
    assert CertificateProfile.objects.count() == 1


def test_T146_a_call_makes_the_change_with_confirm(officer, est_client):
    est_client.simpleenroll(make_csr("pump-1"))
    body = {"settings": {"label": "line-1", "overlap_days": 3}, "reason": "test"}

    def send(**more):
        headers = {"If-Match": '"v1"'}
        return officer.send("patch", "profiles/default", {**body, **more}, **headers)

    dry, refused = send(dry_run=True), send()
    wrong = send(settings={"label": "line-1", "overlap_days": 999})
    dry_and_confirmed = send(dry_run=True, confirm=["label"])
    assert CertificateProfile.objects.count() == 1
    done = send(confirm=["label"])

    for answer in (dry, refused):
        said = {one["field"]: one["message"] for one in answer.json()["errors"]}
        assert answer.status_code == 400
        assert "up to 1 device of this profile" in said["settings.label"]
        assert '`confirm`: ["label"]' in said["confirm"]
    (error,) = wrong.json()["errors"]
    assert error["field"] == "settings.overlap_days"
    assert dry_and_confirmed.json()["outcome"] == "would-change"
    assert (done.status_code, done.json()["profile"]["label"]) == (200, "line-1")


def test_a_profile_is_added(officer, device_ca):
    body = {"name": "second", "settings": {"ca": device_ca.name, "label": "second"}}

    dry = officer.post("profiles", **body, dry_run=True)
    added = officer.post("profiles", **body)
    again = officer.post("profiles", **body)

    assert (dry.status_code, added.status_code, again.status_code) == (200, 201, 400)
    names = [row["name"] for row in officer.get("profiles").json()["results"]]
    assert names == ["second", "default"]
    assert officer.post("profiles", name="third", settings={}).status_code == 400


def test_T61_a_policy_is_changed_from_the_version_that_was_read_only(officer):
    text = json.dumps(POLICY, indent=1) if isinstance(POLICY, dict) else POLICY
    read = officer.get("documents/policy")
    etag = read["ETag"]
    assert read.json()["number"] == 0
    body = {"body": text, "reason": "first"}

    without = officer.send("put", "documents/policy", body)
    dry = officer.send("put", "documents/policy", {**body, "dry_run": True}, **{"If-Match": etag})
    assert not DocumentVersion.objects.exists()
    saved = officer.send("put", "documents/policy", body, **{"If-Match": etag})
    stale = officer.send(
        "put", "documents/policy", {**body, "body": text + "\n"}, **{"If-Match": '"v9"'}
    )

    assert without.status_code == 428
    assert (dry.status_code, dry.json()["outcome"]) == (200, "would-save")
    assert (saved.status_code, saved["ETag"]) == (200, '"v1"')
    assert (stale.status_code, stale["ETag"]) == (412, '"v1"')
    assert officer.get("documents/policy/versions").json()["results"][0]["number"] == 1
    assert officer.get("documents/policy/versions/1").json()["body"] == text
    assert officer.get("documents/policy/versions/7").status_code == 404
    assert officer.get("documents/nonsense").status_code == 404

    # Step 2: another version, and back to the first one.
    officer.send("put", "documents/policy", {**body, "body": text + "\n"}, **{"If-Match": '"v1"'})
    back = officer.send(
        "post", "documents/policy/roll-back", {"number": 1, "reason": "x"}, **{"If-Match": '"v2"'}
    )
    assert (back.status_code, back["ETag"]) == (200, '"v3"')
    assert DocumentVersion.objects.get(number=3).body == text


def test_a_text_is_validated_by_line_and_column(officer):
    found = officer.post("documents/policy/validate", body='{"Version": "2012-10-17",\n x}').json()

    assert not found["is_usable"]
    assert found["problems"][0]["line"] == 2
    refused = officer.send(
        "put", "documents/policy", {"body": "{}", "reason": "x"}, **{"If-Match": "*"}
    )
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "body"


def test_devices_cas_targets_truststore_and_tools_answer(officer, est_client):
    csr = make_csr("sensor-1")
    assert est_client.simpleenroll(csr).status_code == 200
    row = officer.get("certificates/" + officer.get("certificates").json()["results"][0]["id"])

    listed = officer.get("devices", state="new").json()["results"]
    assert [(one["name"], one["state"]) for one in listed] == [("sensor-1", "new")]
    device = officer.get("devices/sensor-1").json()
    assert (device["current_id"], device["denied_by"]) == (row.json()["id"], [])
    assert officer.get("devices/nobody").status_code == 404
    refused = officer.post("devices/sensor-1/release", reason="x")
    assert refused.status_code == 409
    released = officer.post("devices/sensor-1/release", reason="x", revoke=True)
    assert released.json()["outcome"] == "released"

    cas = officer.get("cas").json()["results"]
    assert {one["purpose"] for one in cas} == {"device", "client"}
    assert officer.get(f"cas/{cas[0]['name']}").json()["pem"].startswith("-----BEGIN")
    assert officer.get("targets").json()["results"][0]["name"] == "default"
    truststore = officer.get("truststore").json()
    assert truststore["sha256"] == wanted_bundle().sha256
    assert officer.get("truststore/pushes").json()["results"] == []
    drift = officer.post("drift", target="default", dry_run=True)
    assert drift.json()["count"] == 5
    assert officer.post("drift", target="nowhere").status_code == 400
    assert officer.post("drift").status_code == 202

    assert officer.get("overview").json()["certificates"] == 2
    assert officer.get("notices").status_code == 200
    events = officer.get("audit", kind="issued", limit=1).json()
    assert events["results"][0]["action"] in ("issue", "intent")
    assert officer.get("audit", **{"from": "2001-01-01", "to": "2000-01-01"}).status_code == 400
    assert officer.post("audit/verify").json()["rows"] > 1
    exported = officer.get("audit/export", kind="issued").getvalue().decode()
    assert all(json.loads(line)["hash"] for line in exported.splitlines())
    assert officer.post("doctor", checks=["settings"]).status_code in (200, 400)
    assert officer.post("doctor").json()["results"]


def test_T64_a_private_key_is_refused_unread_and_not_quoted(officer):
    key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----\n"

    for path, field in (("inspect", "content"), ("dry-run", "csr")):
        answer = officer.post(path, **{field: key, "label": ""})
        assert answer.status_code == 400
        assert "MIGHAgEAMBMGByqGSM49" not in answer.content.decode()
        assert {one["field"] for one in answer.json()["errors"]} == {field}


def test_a_dry_run_of_an_enrollment_says_each_step_and_signs_nothing(officer, est_client):
    import base64

    csr = base64.b64encode(make_csr("sensor-1")).decode()

    answer = officer.post("dry-run", csr=csr, client_name="test-client").json()

    assert answer["granted"], answer
    assert {"step", "outcome", "code", "finding", "advice"} <= set(answer["steps"][0])
    assert officer.get("certificates", operation="enroll").json()["results"] == []


def test_T61_an_etag_is_taken_as_the_server_has_written_it(officer):
    for given in ('"v1"x', '"*"', "v1", 'W/"v1"', '"v1", "v2"'):
        answer = change(officer, given, dry_run=True, validity_days=90)

        assert (answer.status_code, answer.json()["code"]) == (412, "api-version-changed"), given
    assert change(officer, "*", dry_run=True, validity_days=90).status_code == 200


def test_T138_a_call_that_pushes_a_policy_that_allows_everything_names_it(officer, aws_edge):
    broad = POLICY.replace('"iot:Connect"', '"iot:*"')
    officer.send("put", "documents/policy", {"body": broad, "reason": "x"}, **{"If-Match": "*"})
    name = "est_iot_policy_default"

    dry = officer.post("documents/policy/push", dry_run=True)
    refused = [officer.post("documents/policy/push", confirm=said) for said in ("", name.upper())]
    made = aws_edge.named("CreatePolicy")
    done = officer.post("documents/policy/push", confirm=name)

    assert dry.status_code == 200
    for answer in refused:
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert error["field"] == "confirm"
        assert f"Give its name, {name}." in error["message"]
    assert made == []
    assert done.json()["outcomes"][0]["is_changed"]
