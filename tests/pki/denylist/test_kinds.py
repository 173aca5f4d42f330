"""Whatever deals with a kind of denylist entry asks the one table of kinds."""

import dataclasses
import datetime
from argparse import ArgumentParser

import pytest
from django.db import models
from django.urls import reverse
from django.utils import timezone

from iotprov.drift.expected import Record
from iotprov.provisioning.desired_state import Goal, desired_state
from iotprov.provisioning.record_facts import read_facts
from pki.denylist import entries, kinds
from pki.denylist.csv_import import read_lines
from pki.denylist.entries import certificates_named, deny
from pki.denylist.identifiers import CertificateIdentifiers, RequestIdentifiers
from pki.denylist.kinds import (
    KINDS,
    DenylistKind,
    matching_entries,
    matching_values,
    normalize,
)
from pki.denylist.values import DEVICE_SERIAL
from pki.jobs.denying import import_lines
from pki.management.commands.deny import add_entry_arguments
from pki.models import CertificateProfile, DenylistEntry, IssuedCertificate
from pki.operators.errors import OperatorError
from tests.conftest import TESTER
from tests.support.builders import make_csr

STATEMENT = """EXISTS (SELECT 1 FROM pki_denylistentry WHERE \

    (expires_at IS NULL OR expires_at > %s OR (
        batch_id IS NOT NULL AND (next_expires_at IS NULL OR next_expires_at > %s)
        AND EXISTS (SELECT 1 FROM pki_denylistbatch AS batch
            WHERE batch.id = pki_denylistentry.batch_id AND batch.in_force_at IS NOT NULL)
    )) AND (
        (kind = 'name' AND value IN (%s, %s, %s))
        OR (kind = 'device-serial' AND value IN (%s, %s, %s, %s))
        OR (kind = 'key' AND value IN (%s, %s, %s))
        OR (kind = 'client' AND value IN (%s, %s))
        OR (kind = 'client' AND signed_sha256 = %s)
        OR (kind = 'fingerprint' AND value IN (%s, %s, %s))
        OR (kind = 'fingerprint' AND signed_sha256 = %s)
        OR (kind = 'serial' AND value IN (%s, %s))
    )
)"""


class ExtraKind(models.TextChoices):
    """What a migration would add to the model's choices."""

    PREFIX = "prefix", "First letters of the thing name"


@pytest.fixture
def prefix_kind(monkeypatch):
    """A row more in the table, and what is made from the table when the module is loaded."""
    extra = DenylistKind(
        choice=ExtraKind.PREFIX,
        refused="beginning of a thing name",
        form=DEVICE_SERIAL,
        identifiers=(lambda request: request.common_name[:3].casefold(),),
        column="name_folded__startswith",
    )
    rows = (*KINDS, extra)
    condition = kinds.matching_condition(rows)
    statement = entries.MATCHING_ENTRY_SQL.replace(kinds.MATCHING_CONDITION, condition)
    monkeypatch.setattr(entries, "MATCHING_ENTRY_SQL", statement)
    monkeypatch.setattr(kinds, "MATCHING_CONDITION", condition)
    monkeypatch.setattr(kinds, "COMPARED", kinds.compared_identifiers(rows))
    monkeypatch.setattr(kinds, "KINDS", rows)
    return extra


def test_every_choice_of_the_model_has_one_row():
    assert sorted(kind.value for kind in KINDS) == sorted(DenylistEntry.Kind.values)
    assert kinds.choices() == DenylistEntry.Kind.choices  # in the order of the model


def test_the_statement_is_written_as_it_always_was():
    """Its order decides which of several matches SQLite returns first, and so the reason code."""
    assert entries.MATCHING_ENTRY_SQL == STATEMENT


def test_each_place_of_the_statement_gets_its_value(db):
    def tied(letter):
        names = (field.name for field in dataclasses.fields(CertificateIdentifiers))
        return CertificateIdentifiers(**{name: f"{letter}-{name}".upper() for name in names})

    request = RequestIdentifiers(
        common_name="CSR-NAME",
        device_serial="CSR-SERIAL",
        key_sha256="CSR-KEY",
        client=tied("c"),
        client_record=tied("r"),
        on_file=tied("f"),
    )

    own_end, next_end, *values = matching_values(request, timezone.now())

    assert values == [
        *("csr-name", "c-common_name", "f-common_name"),
        *("csr-serial", "c-device_serial", "r-device_serial", "f-device_serial"),
        *("CSR-KEY", "C-KEY_SHA256", "F-KEY_SHA256"),
        *("C-FINGERPRINT", "C-OTHER_FINGERPRINT", "C-SIGNED_SHA256"),
        *("C-FINGERPRINT", "C-OTHER_FINGERPRINT", "F-FINGERPRINT", "C-SIGNED_SHA256"),
        *("C-SERIAL_NUMBER", "F-SERIAL_NUMBER"),
    ]
    assert own_end == next_end
    assert len(values) + 2 == STATEMENT.count("%s")
    named = {value for _, value in matching_entries(request)}
    assert named == set(values) - {"C-SIGNED_SHA256"}


def test_the_check_asks_the_table(prefix_kind, est_client):
    deny("prefix", "SEN", reason="recall", actor=TESTER)

    refused = est_client.simpleenroll(make_csr("Sensor-1"))

    assert refused.reason == "device-denied"
    assert "The denylist names this beginning of a thing name." in refused.text
    assert est_client.simpleenroll(make_csr("gateway-1")).certificate


def test_the_second_check_and_the_voiding_of_intents_ask_the_table(prefix_kind, est_client):
    est_client.simpleenroll(make_csr("sensor-1"))
    rows = IssuedCertificate.objects.for_name("sensor-1")
    rows.update(state="intent", der=None, fingerprint_sha256=None, current_name=None)

    deny("prefix", "sen", reason="recall", actor=TESTER)

    assert rows.get().state == "void"
    assert certificates_named("prefix", "sen").count() == 1


def test_the_import_and_the_commands_ask_the_table(prefix_kind, db):
    (line,) = read_lines(b"kind,value,reason\nprefix,SEN,recall\n")
    import_lines([line], actor=TESTER)
    parser = ArgumentParser()
    add_entry_arguments(parser)

    assert (line.kind, line.value) == ("prefix", "sen")
    assert DenylistEntry.objects.filter(kind="prefix", value="sen").exists()
    assert parser.parse_args(["prefix", "sen", "--reason", "r"]).kind == "prefix"
    with pytest.raises(OperatorError, match=r"name, device-serial, .*, client, prefix"):
        normalize("nme", "sensor-1")


@pytest.mark.django_db(transaction=True)
def test_the_pages_ask_the_table(prefix_kind, admin_client, est_client):
    certificate = est_client.simpleenroll(make_csr("sensor-1")).certificate
    row = IssuedCertificate.objects.get(serial_number=f"{certificate.serial_number:x}")
    add = reverse("admin:pki_denylistentry_add")

    asked = admin_client.get(add, {"kind": "prefix", "value": "sen"})
    done = admin_client.post(add, {"kind": "prefix", "value": "SEN", "reason": "r"}, follow=True)

    assert "First letters of the thing name" in asked.text
    assert "1 live certificate matches" in asked.text
    assert "is on the denylist now" in done.text
    shown = admin_client.get(reverse("admin:pki_issuedcertificate_change", args=[row.pk]))
    assert "not on it" not in shown.text
    found = admin_client.get(reverse("admin:pki_auditevent_changelist"), {"q": "SEN"})
    assert "prefix:sen" in found.text


def test_aws_iot_and_its_drift_report_ask_the_table(prefix_kind, est_client):
    certificate = est_client.simpleenroll(make_csr("sensor-1")).certificate
    CertificateProfile.objects.update(iot_provisioning="register")
    row = IssuedCertificate.objects.select_related("profile").get(
        serial_number=f"{certificate.serial_number:x}"
    )
    at = timezone.now() + datetime.timedelta(seconds=1)

    def goals():
        (expected,) = Record("default", at).expected([row])
        return [expected.desired.goal, desired_state(read_facts(row.pk, "default", at), at).goal]

    assert goals() == [Goal.PROVISIONED] * 2
    deny("prefix", "sen", reason="recall", actor=TESTER)

    assert goals() == [Goal.SUSPENDED] * 2
