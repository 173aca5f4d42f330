"""The quota of new names is read off an index, on every database (T45).

``tests/estserver/est/test_name_quotas.py`` has what clients notice.
"""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from django.db import connection
from django.utils import timezone

from pki.exceptions import QuotaExceeded
from pki.issuance.client_authentication import authenticate_certificate
from pki.issuance.quotas import QUOTA_SQL, check_new_name, quota_values
from pki.models import CertificateProfile, IssuedCertificate
from tests.support.builders import make_csr, make_key


@pytest.mark.parametrize("limits", [(3600, None), (None, 100), (3600, 100)])
def test_T45_the_statement_reads_an_index(est_client, limits):
    est_client.simpleenroll(make_csr())
    values = quota_values("ab" * 32, *limits, timezone.now())
    explain = "EXPLAIN QUERY PLAN" if connection.vendor == "sqlite" else "EXPLAIN"

    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")  # the table is too small for an index
        cursor.execute(f"{explain} {QUOTA_SQL}", values)
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())

    assert plan.count("certificate_new_name") == 2, plan
    assert "Seq Scan" not in plan
    assert "TEMP B-TREE" not in plan
    assert "Sort" not in plan


def test_T45_the_times_of_the_record_are_compared_in_utc(est_client):
    now = timezone.now()
    client = authenticate_certificate(est_client.certificate.public_bytes(Encoding.DER))
    for number, minutes in enumerate((90, 59, 20)):
        est_client.simpleenroll(make_csr(f"sensor-{number}", key=make_key(index=number)))
        rows = IssuedCertificate.objects.for_name(f"sensor-{number}")
        rows.update(created_at=now - timedelta(minutes=minutes))

    def retry_after(**limits):
        try:
            check_new_name(client, CertificateProfile(**limits), now)
        except QuotaExceeded as error:
            return error.reason.code, error.retry_after
        return None

    assert retry_after(new_names_per_hour=3) is None
    assert retry_after(new_names_per_hour=2) == ("too-many-new-names", 60)
    assert retry_after(new_names_per_hour=1) == ("too-many-new-names", 40 * 60)
    assert retry_after(new_names_per_hour=None, new_names_ever=4) is None
    assert retry_after(new_names_per_hour=None, new_names_ever=3)[0] == "no-more-new-names"
