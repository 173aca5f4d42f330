"""`certificates`, `denylist`, `audit` and `profiles`, as an operator types them."""

import io
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs7, pkcs12

from pki.denylist.entries import deny
from pki.models import AuditEvent, CertificateProfile, DenylistEntry, IssuedCertificate
from tests.conftest import TESTER
from tests.support.builders import make_csr, make_key
from tests.support.commands import refused, rows, run


@pytest.fixture
def device(est_client):
    """The row of a device's certificate, beside another device's."""
    est_client.simpleenroll(make_csr("sensor-2", key=make_key(index=1)))
    est_client.simpleenroll(make_csr("sensor-1"))
    return IssuedCertificate.objects.for_name("sensor-1").get()


# certificates


def test_certificates_are_found_by_the_terms_and_filters_of_the_console(device):
    assert [row["name"] for row in rows("certificates", "list", "sensor-")] == [
        "sensor-1",
        "sensor-2",
    ]
    for term in (device.serial_number, device.fingerprint_sha256, "CN=sensor-1"):
        assert [row["name"] for row in rows("certificates", "list", term)] == ["sensor-1"]
    assert len(rows("certificates", "list", "--ca", "device-ca", "--status", "active")) == 2
    assert rows("certificates", "list", "--status", "revoked") == []
    assert len(rows("certificates", "list", "--filter", "?operation__exact=client")) == 1
    assert len(rows("certificates", "list", "--limit", "1")) == 1
    assert len(rows("certificates", "list", "--limit", "0")) == 3


def test_a_list_for_people_says_that_there_are_more(device):
    said = run("certificates", "list", "--limit", "1").splitlines()

    assert said[0].split()[:2] == ["STATUS", "NAME"]
    assert said[1].split()[:2] == ["active", "sensor-1"]
    assert said[2].startswith("More than 1 fit.")
    assert run("certificates", "list", "nothing-has-this-name") == "No certificate fits.\n"


def test_a_filter_that_does_not_exist_is_refused(device):
    assert refused("certificates", "list", "--filter", "x=1")[1] == 1
    assert "is not a value of status" in refused("certificates", "list", "--status", "x")[0]
    assert refused("certificates", "list", "--limit", "-1")[1] == 2
    assert "no CA 'x'" in refused("certificates", "list", "--ca", "x")[0]


def test_a_certificate_is_shown_with_what_would_refuse_it(device):
    deny("name", "sensor-1", reason="stolen", actor=TESTER)

    [shown] = rows("certificates", "show", device.serial_number)

    assert shown["subject"] == device.subject
    assert shown["denied_by"] == ["name sensor-1"]
    assert shown["findings"] == []
    assert "denied by          name sensor-1" in run("certificates", "show", device.serial_number)


def test_a_certificate_is_downloaded_in_each_form(device, tmp_path):
    serial = device.serial_number
    certificate = device.to_x509()

    pem = run("certificates", "download", serial)
    assert x509.load_pem_x509_certificate(pem.encode()) == certificate
    chain = x509.load_pem_x509_certificates(
        run("certificates", "download", serial, "--form", "chain").encode()
    )
    assert chain == [certificate, device.ca.certificate]
    for form, read in (
        ("der", x509.load_der_x509_certificate),
        ("csr", x509.load_der_x509_csr),
        ("pkcs7", pkcs7.load_der_pkcs7_certificates),
    ):
        path = tmp_path / form
        said = run("certificates", "download", serial, "--form", form, "--out", path)
        assert said == f"{path} is written\n"
        assert read(path.read_bytes())
        assert "exists" in refused("certificates", "download", serial, "--out", path)[0]
    assert "Name a file" in refused("certificates", "download", serial, "--form", "der")[0]


def test_a_key_file_is_encrypted_with_a_password_that_is_no_argument(
    installation, tmp_path, monkeypatch
):
    row = IssuedCertificate.objects.get(operation="client")
    path = tmp_path / "client.p12"
    words = ("certificates", "key-file", row.serial_number, "--out", path)

    assert "Add --yes" in refused(*words)[0]
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse\n"))
    run(*words, "--yes", "--dry-run")
    assert not path.exists()
    monkeypatch.setattr(sys, "stdin", io.StringIO("correct horse\n"))
    run(*words, "--yes")

    held = pkcs12.load_pkcs12(path.read_bytes(), b"correct horse")
    assert held.cert.certificate == row.to_x509()
    assert path.stat().st_mode & 0o077 == 0
    assert AuditEvent.objects.order_by("at").last().actor.startswith("command:")


# denylist


def test_an_exported_denylist_can_be_imported(db, tmp_path):
    deny("name", "sensor-1", reason="=stolen", actor=TESTER)
    deny("name", "sensor-2", reason="with, comma", actor=TESTER)
    path = tmp_path / "denylist.csv"

    assert run("denylist", "export").splitlines()[0] == "kind,value,reason,expires"
    run("denylist", "export", "--out", path)
    DenylistEntry.objects.all().delete()
    run("denylist", "import", path)

    assert {row["value"]: row["reason"] for row in rows("denylist", "list")} == {
        "sensor-1": "'=stolen",
        "sensor-2": "with, comma",
    }


def test_the_denylist_is_tested_added_to_and_ended_by_subcommands(db):
    assert run("denylist", "add", "name", "sensor-1", "--reason", "stolen").startswith("name sens")
    assert refused("denylist", "test", "sensor-1") == ("It would be refused.", 1)
    [entry] = rows("denylist", "list", "sensor", "--in-force", "yes")
    assert (entry["status"], entry["value"], entry["by"][:8]) == ("denied", "sensor-1", "command:")
    assert rows("denylist", "list", "--in-force", "no") == []
    run("denylist", "end", "name", "sensor-1", "--reason", "found")

    assert rows("denylist", "list") == []


# audit


def test_events_are_found_by_day_actor_reason_and_target(device):
    deny("name", "sensor-9", reason="found in a river", actor=TESTER)

    [event] = rows("audit", "list", "--reason", "river")
    assert (event["action"], event["target"]) == ("deny", "name:sensor-9")
    assert len(event["hash"]) == 64
    assert rows("audit", "list", "--actor", "test", "--kind", "denylist") == [event]
    assert rows("audit", "list", "--to", "2020-01-01") == []
    assert "certificate" in rows("audit", "list", "sensor-1")[0]["target"]
    assert "is not a day" in refused("audit", "list", "--from", "yesterday")[0]


def test_the_trail_is_exported_as_the_console_exports_it(device, tmp_path):
    path = tmp_path / "audit.jsonl"

    lines = run("audit", "export").splitlines()
    said = run("audit", "export", "--out", path)

    assert len(lines) == AuditEvent.objects.count()
    assert path.read_text().splitlines() == lines
    assert said == f"{path} is written, events: {len(lines)}\n"
    assert run("audit", "verify") == f"the audit trail holds: {len(lines)} rows\n"


# profiles

_DIFF = ("profiles", "diff", "other")


def test_a_profile_is_added_compared_and_brought_back(installation):
    run("profiles", "add", "other", "ca=device-ca", "label=line-1", "validity_days=30")
    run("profiles", "set", "other", "validity_days=60", "overlap_days=3", "--reason", "r")

    changed = {row["setting"]: (row["before"], row["after"]) for row in rows(*_DIFF)}
    assert changed["validity_days"] == (30, 60)
    assert changed["overlap_days"][1] == 3
    assert len(changed) == 2
    run("profiles", "roll-back", "other", "1", "--reason", "too long")

    row = CertificateProfile.objects.get(name="other", active_label="line-1")
    assert (row.version, row.validity_days) == (3, 30)
    event = AuditEvent.objects.order_by("at").last()
    assert (event.action, event.reason) == ("change-profile", "too long (back to v1)")
    assert [one["version"] for one in rows("profiles", "versions", "other")] == [3, 2, 1]
    assert run("profiles", "diff", "other", "1", "3") == (
        "other v1 and other v3 have the same settings.\n"
    )


def test_a_version_that_is_not_there_is_refused_with_those_that_are(installation):
    assert refused("profiles", "diff", "default") == (
        "The profile 'default' has no version 0. Versions on record: 1.",
        1,
    )
    assert (
        "has the settings of version 1 already"
        in refused("profiles", "roll-back", "default", "1", "--reason", "r")[0]
    )
    assert "needs a CA" in refused("profiles", "add", "x", "label=x")[0]
