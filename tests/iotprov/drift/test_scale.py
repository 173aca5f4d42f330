"""A fleet is compared page by page, with few statements, and by the same rules as one device."""

import datetime
import hashlib
import math
import re
import uuid
from types import SimpleNamespace

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from iotprov.drift.expected import Record
from iotprov.drift.listing import CHUNK, PAGE, Listed, new_listing
from iotprov.models import CARegistration
from iotprov.provisioning.desired_state import desired_state
from iotprov.provisioning.record_facts import read_facts
from pki.denylist.entries import deny
from pki.models import DenylistEntry, IssuedCertificate
from pki.models.fields import new_identifier
from pki.revocation.revoke import revoke_certificate
from tests.conftest import TESTER
from tests.iotprov.cloud import settle_all
from tests.iotprov.drift.drifting import agreed, found, listing_edge

__all__ = ["agreed", "listing_edge"]

FLEET = 2500


def make_fleet(agreed, row, size):
    """Certificates on record like ``row``, and in AWS; only their IDs are made up."""
    held = agreed.edge.held
    ca_certificate_id = held.certificates[row.fingerprint_sha256].ca_certificate_id
    made = []
    for number in range(size):
        fingerprint = hashlib.sha256(f"{number}".encode()).hexdigest()
        made.append(
            IssuedCertificate(
                id=new_identifier(),
                state="issued",
                operation="enroll",
                ca_id=row.ca_id,
                profile_id=row.profile_id,
                serial_number=uuid.uuid4().hex,
                common_name=f"fleet-{number}",
                name_folded=f"fleet-{number}",
                device_serial=f"SN-{number}",
                subject=f"CN=fleet-{number}",
                key_algorithm="ec-p256",
                key_sha256=hashlib.sha256(f"key {number}".encode()).hexdigest(),
                not_before=row.not_before,
                not_after=row.not_after,
                csr_der=b"",
                der=row.der,
                fingerprint_sha256=fingerprint,
                issued_at=row.issued_at,
            )
        )
        held.certificates[fingerprint] = SimpleNamespace(
            certificate_id=fingerprint,
            arn=f"arn:aws:iot:eu-central-1:123456789012:cert/{fingerprint}",
            status="ACTIVE",
            ca_certificate_id=ca_certificate_id,
        )
    IssuedCertificate.objects.bulk_create(made, batch_size=30)
    return made


def test_a_fleet_is_compared_page_by_page_with_few_statements(agreed):
    row = agreed.enroll("sensor-1")
    fleet = make_fleet(agreed, row, FLEET)
    held = agreed.edge.held.certificates
    held[fleet[7].fingerprint_sha256].status = "INACTIVE"
    del held[fleet[-1].fingerprint_sha256]
    foreign = "f" * 64
    held[foreign] = SimpleNamespace(
        certificate_id=foreign,
        arn="arn:aws:iot:eu-central-1:123456789012:cert/f",
        status="ACTIVE",
        ca_certificate_id=held[fleet[0].fingerprint_sha256].ca_certificate_id,
    )
    DenylistEntry.objects.create(kind="name", value="fleet-999", reason="x", created_by="x")
    agreed.edge.calls.clear()

    with CaptureQueriesContext(connection) as queries:
        differences = found()

    assert [(one.name, one.ours, one.theirs) for one in differences] == [
        (foreign, "", "ACTIVE, registered under device-ca"),  # alarming, so it comes first
        *in_order_of_ids(
            (fleet[7], "ACTIVE", "INACTIVE"),
            (fleet[999], "INACTIVE", "ACTIVE"),  # denied
        ),
        (str(fleet[-1]), "ACTIVE", ""),
    ]
    pages = agreed.edge.named("ListCertificatesByCA")
    assert len(pages) == math.ceil((FLEET + 1) / PAGE)
    assert agreed.edge.parameters("ListCertificatesByCA")["pageSize"] == PAGE
    assert agreed.edge.named("DescribeCertificate") == ["DescribeCertificate"]  # who is missing
    chunks = math.ceil((FLEET + 1) / CHUNK)
    assert len(queries) <= 8 * chunks + 25, len(queries)
    values = [
        one.count(",") + 1
        for query in queries
        for one in re.findall(r"IN \(([^)]*)\)", query["sql"])
    ]
    assert max(values) <= CHUNK


def in_order_of_ids(*differences):
    by_id = sorted(differences, key=lambda one: one[0].fingerprint_sha256)
    return [(str(certificate), *statuses) for certificate, *statuses in by_id]


def test_many_at_once_are_judged_as_one_by_one(agreed, clock, in_mode):
    in_mode("register", overlap_days=7, iot_removal_days=30)
    revoked = agreed.enroll("sensor-1")
    revoke_certificate(revoked, reason="keyCompromise", actor=TESTER)
    agreed.renew(agreed.enroll("sensor-2", key=1), key=2)
    kinds = {
        "name": lambda row: row.common_name.upper(),
        "key": lambda row: row.key_sha256,
        "client": lambda row: row.fingerprint_sha256,
        "fingerprint": lambda row: row.fingerprint_sha256,
        "serial": lambda row: row.serial_number,
    }
    for number, (kind, value) in enumerate(kinds.items(), start=3):
        row = agreed.enroll(f"sensor-{number}", key=number)
        deny(kind, value(row), reason="test", actor=TESTER)
    with_serial = agreed.enroll("sensor-9", key=9)
    IssuedCertificate.objects.filter(pk=with_serial.pk).update(device_serial="Abc")
    deny("device-serial", "aBC", reason="test", actor=TESTER)
    expired_entry = agreed.enroll("sensor-10", key=10)
    until = timezone.now() + datetime.timedelta(days=1)
    deny("name", expired_entry.common_name, reason="test", actor=TESTER, expires_at=until)
    in_mode("jitp")
    agreed.enroll("sensor-11", key=11)
    settle_all()

    for days in (0, 2, 10, 60, 400, 4000):
        clock(days=days)
        for is_jitp_on in (True, False):
            CARegistration.objects.update(is_auto_registration_on=is_jitp_on)
            check_judgements()


def check_judgements():
    at = timezone.now()
    certificates = list(IssuedCertificate.objects.select_related("profile"))
    for one in Record("default", at).expected(certificates):
        alone = desired_state(read_facts(one.certificate.pk, "default", at), at)
        assert one.desired.goal is alone.goal
        assert one.desired.is_registered_if_unknown == alone.is_registered_if_unknown


def test_a_listing_gives_back_what_was_put_down_in_chunks():
    now = timezone.now()
    with new_listing() as listing:
        ids = [f"{number:064x}" for number in range(CHUNK + 3)]
        page = [
            Listed(one, f"arn/{one}", "ACTIVE" if one == ids[5] else "INACTIVE", "ca", now)
            for one in ids
        ]
        listing.add(page)
        listing.add(page[:2])  # again

        chunks = list(listing.chunks())
        assert [len(chunk) for chunk in chunks] == [CHUNK, 3]
        assert [one for chunk in chunks for one in chunk] == page
        assert list(listing.chunks(status="ACTIVE")) == [[page[5]]]
        assert listing.missing([ids[0], "f" * 64]) == {"f" * 64}
