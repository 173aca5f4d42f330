"""The commands as an operator meets them: one line, an exit code, nothing half-written."""

import datetime
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import CommandError, call_command, get_commands
from django.db import connection
from django.utils import timezone

from estserver.config import PROJECT_ROOT
from pki.models import (
    AuditEvent,
    CertificateProfile,
    DenylistEntry,
    IssuedCertificate,
)
from tests.support.builders import make_ca, make_certificate, make_csr, make_key
from tests.support.openssl import write_pem

State = IssuedCertificate.State


def run(*arguments):
    """What a command wrote on standard output."""
    out = io.StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def refused(*arguments):
    """The sentence with which a command was refused."""
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert caught.value.returncode == 1
    return str(caught.value)


@pytest.fixture
def device(est_client):
    """The row of a device's certificate."""
    est_client.simpleenroll(make_csr("sensor-1"))
    return IssuedCertificate.objects.for_name("sensor-1").get()


# deny, allow


def test_deny_says_that_certificates_stay_valid(device):
    said = run("deny", "name", "Sensor-1", "--reason", "stolen")

    assert said == (
        "name sensor-1 is now on the denylist, for good; live certificates that it names and "
        "that stay valid: 1\n"
    )
    assert AuditEvent.objects.get(action="deny").actor.startswith("command:")
    assert "was already on the denylist" in run("deny", "name", "sensor-1", "--reason", "stolen")


def test_deny_revokes_when_told_to(device, est_client):
    said = run("deny", "name", "sensor-1", "--reason", "stolen", "--revoke")

    assert said.endswith("live certificates revoked: 1\n")
    device.refresh_from_db()
    assert (device.state, device.revocation_reason) == (State.REVOKED, "privilegeWithdrawn")
    response = est_client.using(device.to_x509()).simplereenroll(make_csr("sensor-1"))
    assert response.reason == "client-certificate-revoked"


def test_deny_takes_a_last_day(db):
    day = f"{timezone.now().year + 1}-06-30"

    assert f"until {day}" in run("deny", "name", "sensor-1", "--reason", "r", "--expires", day)

    assert DenylistEntry.objects.get().expires_at.isoformat() == f"{day[:-5]}07-01T00:00:00+00:00"


@pytest.mark.parametrize("kind", ["key", "client", "fingerprint", "serial"])
def test_deny_and_allow_take_a_PEM_file(device, tmp_path, kind):
    path = write_pem(tmp_path / "device.pem", device.to_x509())

    assert "that stay valid: 1" in run("deny", kind, path, "--reason", "stolen")
    assert run("allow", kind, path, "--reason", "found").endswith("is off the denylist\n")
    assert not DenylistEntry.objects.exists()


def test_allow_of_what_isnt_denied_is_refused(db):
    said = refused("allow", "name", "sensor-1", "--reason", "r")

    assert said == "name sensor-1 is not on the denylist. Nothing was changed."


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("name", "a b"), "The common name 'a b' cannot be an AWS IoT thing name"),
        (("key", "nothere.pem"), "nothere.pem cannot be read: No such file or directory."),
        (("serial", "xyz"), "'xyz' is not a serial number. Use hexadecimal digits"),
        (("name", "a", "--expires", "2020-01-01"), "The day 2020-01-01 is in the past."),
        (("name", "a", "--expires", "soon"), "'soon' is not a day. Use YYYY-MM-DD"),
    ],
)
def test_deny_refuses_in_a_sentence_and_writes_nothing(db, arguments, sentence):
    assert refused("deny", *arguments, "--reason", "r").startswith(sentence)
    assert not DenylistEntry.objects.exists()


# deny_import


def test_deny_import_dry_run_says_what_each_line_would_do(db, tmp_path):
    run("deny", "name", "a", "--reason", "r")
    run("deny", "name", "b", "--reason", "before")
    path = tmp_path / "list.csv"
    path.write_text("kind,value,reason\nname,a,r\nname,b,after\nname,c,\n")

    replacing = ("deny_import", path, "--replace", "--reason", "recall")
    assert run(*replacing, "--dry-run").splitlines() == [
        "line 2: same: name a",
        "line 3: changed: name b",
        "line 4: new: name c",
        "nothing was written (--dry-run)",
    ]
    assert DenylistEntry.objects.count() == 2
    job, said = run(*replacing).splitlines()
    assert job.endswith(": finished, 3 of 3 lines")
    assert said == "denylist entries: 1 new, 1 same, 0 kept, 1 changed"
    assert DenylistEntry.objects.get(value="c").reason == "recall"


def test_T54_deny_names_the_terms_of_an_entry_and_changes_it_when_told(db):
    run("deny", "name", "sensor-1", "--reason", "stolen")
    other = ("deny", "name", "sensor-1", "--reason", "lent", "--expires", "2099-01-01")

    said = refused(*other)

    entry = DenylistEntry.objects.get()
    assert said.startswith(
        f"name sensor-1 is on the denylist already, since {entry.created_at:%Y-%m-%d}, for good, "
        "by command:"
    )
    assert said.endswith(
        "(reason: 'stolen'). Nothing was changed. To give the entry this reason and end, add "
        "--replace."
    )
    assert entry.expires_at is None
    assert "is now on the denylist, until 2099-01-01" in run(*other, "--replace")
    assert DenylistEntry.objects.get().reason == "lent"


def test_T54_deny_import_names_the_terms_of_what_it_keeps(db, tmp_path):
    run("deny", "name", "a", "--reason", "before")
    path = tmp_path / "list.csv"
    path.write_text("kind,value,reason,expires\nname,a,after,2099-01-01\nname,b,new,\n")

    for arguments in (("--dry-run",), ()):
        said = run("deny_import", path, *arguments)
        assert "line 2: name a is on the denylist already, since " in said
        assert "(reason: 'before'). The entry stays as it is without --replace." in said

    assert "denylist entries: 1 new, 0 same, 1 kept, 0 changed" in said
    assert DenylistEntry.objects.get(value="a").reason == "before"


def test_deny_import_takes_the_text_where_there_is_no_file(db):
    text = "kind,value,reason,expires\nname,pump-1,stolen,\n"

    assert "denylist entries: 1 new" in run("deny_import", f"--text={text}")
    assert "a file" not in refused("deny_import", "--text=kind,colour\n")


def test_deny_import_lists_all_complaints_and_writes_nothing(db, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("kind,value,reason\nname,good,r\nname,a b,r\nbogus,x,r\n")

    said = refused("deny_import", path).splitlines()

    assert [line.partition(":")[0] for line in said] == ["Line 3", "Line 4"]
    assert not DenylistEntry.objects.exists()
    assert "No such file" in refused("deny_import", tmp_path / "missing.csv")


# revoke, crl, audit_verify, settle_intents


def test_revoke_says_what_it_did_once(device):
    said = run("revoke", device.serial_number, "--reason", "keyCompromise", "--comment", "T-7")
    again = run("revoke", device.fingerprint_sha256, "--reason", "superseded")

    assert said == (
        f"revoked: certificate {device.serial_number} of sensor-1\n"
        f"key {device.key_sha256} is on the denylist, for good\n"
    )
    assert "was revoked before" in again
    assert "(keyCompromise): left as it is" in again
    assert "No certificate '12' is on record." in refused("revoke", "12", "--reason", "superseded")


def test_revoke_offers_no_hold(device):
    said = refused("revoke", device.serial_number, "--reason", "certificateHold")

    assert said.startswith("certificateHold is not a reason to revoke.")
    assert "'stolen' is not a reason" in refused("revoke", "12", "--reason", "stolen")
    device.refresh_from_db()
    assert device.state == State.ISSUED


def test_crl_is_printed_or_written(device, device_ca, tmp_path):
    run("revoke", device.serial_number, "--reason", "keyCompromise")
    path = tmp_path / "device-ca.crl"

    printed = x509.load_pem_x509_crl(run("crl", "device-ca").encode())
    said = run("crl", "device-ca", "--out", path)

    assert len(printed) == 1
    assert f"{path}: CRL number 2 of device-ca, certificates on it: 1, good until" in said
    assert x509.load_der_x509_crl(path.read_bytes()).issuer == device_ca.certificate.subject
    run("crl", "device-ca", "--out", path, "--pem")
    assert x509.load_pem_x509_crl(path.read_bytes())
    assert refused("crl", "nobody") == "There is no CA 'nobody'. Known CAs: client-ca, device-ca."
    assert "cannot be written" in refused("crl", "device-ca", "--out", path / "below-a-file.crl")


def test_audit_verify_names_the_first_broken_row(device):
    count = AuditEvent.objects.count()
    assert run("audit_verify") == f"the audit trail holds: {count} rows\n"
    row = AuditEvent.objects.get(action="issue", target=f"certificate:{device.serial_number}")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pki_auditevent SET actor = 'x' WHERE hash = %s", [row.hash])

    said = refused("audit_verify")

    assert f"at row {row.pk} (issue certificate:{device.serial_number}" in said
    assert "its contents were changed" in said


def test_settle_intents_voids_what_was_abandoned(device):
    long_ago = timezone.now() - datetime.timedelta(hours=2)
    rows = IssuedCertificate.objects.filter(pk=device.pk)
    rows.update(state=State.INTENT, created_at=long_ago, current_name=None)

    assert run("settle_intents") == "abandoned intents (older than 1 h) made void: 1\n"
    assert run("settle_intents") == "abandoned intents (older than 1 h) made void: 0\n"
    assert rows.get().state == State.VOID


def test_count_certificates_says_what_a_database_holds(device):
    said = run("count_certificates")

    assert said == "2 certificates on record, 2 of them live; CAs: client-ca, device-ca\n"
    IssuedCertificate.objects.filter(pk=device.pk).update(not_after=timezone.now())
    assert "2 certificates on record, 1 of them live" in run("count_certificates")


# ca_successor, profiles, hooks


def test_ca_successor_says_who_issues_now(device_ca):
    said = run("ca_successor", "device-ca", "--reason", "half of its time is over")

    assert said.startswith("device-ca-2 issues from now on, until ")
    assert AuditEvent.objects.get(action="succeed-ca").reason == "half of its time is over"
    assert "is retiring" in refused("ca_successor", "device-ca", "--reason", "again")


def test_profile_set_changes_what_profile_show_shows(installation):
    said = run("profile_set", "default", "validity_days=90", "san_rule=none", "--reason", "T-7")

    assert said.splitlines() == [
        "default v2 is in force",
        "  validity_days: 365 -> 90",
        "  san_rule: 'own-name' -> 'none'",
    ]
    assert "validity_days=90\n" in run("profile_show", "default")
    assert run("profile_show") == "default v2: no label, 90 days, from device-ca\n"


def test_what_profile_show_writes_profile_set_takes(installation):
    shown = [
        line
        for line in run("profile_show", "default").splitlines()
        if not line.startswith(("name=", "version="))
    ]

    assert run("profile_set", "default", *shown, "--reason", "r") == "default v2 is in force\n"


def test_profile_set_refuses_in_a_sentence(installation):
    assert "Did you mean validity_days?" in refused(
        "profile_set", "default", "validity_day=90", "--reason", "r"
    )
    assert "validity_days: " in refused("profile_set", "default", "validity_days=0", "--reason=r")
    assert CertificateProfile.objects.count() == 1


def test_T146_a_command_makes_the_change_with_confirm(est_client):
    est_client.simpleenroll(make_csr("pump-1"))

    words = refused("profile_set", "default", "label=line-1", "--reason", "r")
    dry = refused("profile_set", "default", "label=line-1", "--reason", "r", "--dry-run")
    assert words == dry
    assert "label: The address changes from /.well-known/est/ to /.well-known/est/line-1/" in words
    assert words.endswith(
        "1 device of this profile. If that is meant, confirm it (--confirm label)."
    )

    said = run("profile_set", "default", "label=line-1", "--reason", "r", "--confirm", "label")
    assert "default v2 is in force" in said
    back = ("profiles", "roll-back", "default", "1", "--reason", "r")
    assert "(--confirm label)" in refused(*back)
    assert "default v3 is in force" in run(*back, "--confirm", "label")


def test_run_pending_hooks_says_how_many(db):
    assert run("run_pending_hooks") == "Post hooks run: 0 succeeded, 0 failed.\n"


# As programs: exit codes, and nothing half-written


def manage(directory: Path, *arguments, config="", **environ):
    """Run manage.py with a data directory and configuration of its own."""
    path = directory / "config.yaml"
    path.write_text(config)
    return subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=PROJECT_ROOT,
        env={
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            "EST_CONFIG": str(path),
            "EST_DATA_DIR": str(directory / "data"),
            "DJANGO_SETTINGS_MODULE": "estserver.settings.admin",
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def assert_refused(result, sentence, code=1):
    assert result.returncode == code
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def external_ca(directory, *, certificate, key):
    write_pem(directory / "ca.pem", certificate)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (directory / "ca.key").write_bytes(pem)
    return (
        "DeploymentOptions:\n"
        f"  iotCoreCaCertificatePath: {directory / 'ca.pem'}\n"
        f"  iotCoreCaPrivateKeyPath: {directory / 'ca.key'}\n"
        "  generateIotCaCertificate: false\n"
    )


def test_bootstrap_of_a_bad_CA_ends_in_a_sentence_and_leaves_nothing(tmp_path):
    ca = make_ca("Their CA")
    expired = make_ca("Old CA", not_after=timezone.now() - datetime.timedelta(hours=1))
    bad = [
        (make_certificate(ca), make_key(), "is not a CA certificate"),
        (ca.certificate, make_key(index=3), "The private key is not that of CN=Their CA"),
        (expired.certificate, expired.key, "CN=Old CA expired on"),
    ]
    assert manage(tmp_path, "migrate", "-v0").returncode == 0

    for certificate, key, sentence in bad:
        config = external_ca(tmp_path, certificate=certificate, key=key)
        assert_refused(manage(tmp_path, "bootstrap_cas", config=config), sentence)
    assert not (tmp_path / "data" / "keys").exists()
    (tmp_path / "ca.key").unlink()
    assert_refused(manage(tmp_path, "bootstrap_cas", config=config), "No such file")

    config = external_ca(tmp_path, certificate=ca.certificate, key=ca.key)
    assert manage(tmp_path, "bootstrap_cas", config=config).returncode == 0


def test_commands_end_in_a_sentence_without_tables_or_with_a_wrong_passphrase(tmp_path):
    assert_refused(manage(tmp_path, "crl", "device-ca"), "manage.py migrate", code=3)
    assert manage(tmp_path, "migrate", "-v0").returncode == 0
    assert manage(tmp_path, "bootstrap_cas").returncode == 0

    wrong = manage(tmp_path, "crl", "device-ca", EST_KEY_PASSPHRASE="wrong")

    assert_refused(wrong, "cannot get at the key of device-ca (Incorrect password")
    assert manage(tmp_path, "audit_verify").returncode == 0


def test_the_commands_of_an_operator_are_there():
    ours = {name for name, app in get_commands().items() if app in {"pki", "estserver", "iotprov"}}

    assert ours >= {"deny", "allow", "deny_import", "revoke", "crl", "audit_verify"}
    assert ours >= {"settle_intents", "run_pending_hooks", "reason_codes", "ca_successor"}
