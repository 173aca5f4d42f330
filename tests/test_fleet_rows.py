"""The rows that `bench.fill` writes fit together as those of a server do."""

import pytest
from django.db import connection
from django.db.models import Count, F

from bench.fill import fill, insert, new_fleet, tables_of
from iotprov.models import Provisioning
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate
from tests.support.builders import make_csr, make_key

COUNT = 400


@pytest.fixture
def fleet(est_client):
    """A fleet on record, beside the certificate that it is made of."""
    assert est_client.simpleenroll(make_csr("template")).status_code == 200
    fleet = new_fleet(COUNT)
    with connection.cursor() as cursor:
        for template, rows in tables_of(fleet):
            insert(cursor, template, rows())
    return fleet


def test_no_row_names_one_that_is_missing(fleet):
    connection.check_constraints()

    assert IssuedCertificate.objects.count() == COUNT + 2  # the client's own, and the template
    assert DenylistEntry.objects.count() == COUNT // 10
    assert AuditEvent.objects.count() > 2 * COUNT


def test_a_renewal_has_the_name_of_what_it_renews_and_makes_it_superseded(fleet):
    renewals = IssuedCertificate.objects.filter(predecessor__isnull=False)

    assert renewals.count() > COUNT // 5
    assert not renewals.exclude(name_folded=F("predecessor__name_folded")).exists()
    issued = renewals.filter(state="issued").exclude(predecessor__state="superseded")
    assert not issued.exists()
    assert not renewals.values("predecessor").annotate(n=Count("pk")).filter(n__gt=1).exists()


def test_a_name_has_one_current_certificate_and_one_holder(fleet):
    rows = IssuedCertificate.objects.exclude(common_name__in=["template", "test-client"])
    current = rows.filter(state="issued")

    assert set(current.values_list("pk", flat=True)) == set(
        rows.exclude(current_name=None).values_list("pk", flat=True)
    )
    held = set(rows.exclude(name_owner=None).values_list("name_owner", flat=True))
    assert set(current.values_list("name_folded", flat=True)) <= held


def test_rows_are_found_by_time_along_their_identifiers(fleet):
    for model, at in ((IssuedCertificate, "created_at"), (AuditEvent, "at")):
        times = list(model.objects.order_by("pk").values_list(at, flat=True))
        late = [number for number in range(1, len(times)) if times[number] < times[number - 1]]
        assert all((times[n - 1] - times[n]).total_seconds() < 60 for n in late), model


def test_there_is_something_of_everything(fleet):
    states = set(IssuedCertificate.objects.values_list("state", flat=True))
    outbox = set(Provisioning.objects.values_list("state", flat=True))

    assert states == {"intent", "issued", "superseded", "revoked", "void"}
    assert {"pending", "settled"} <= outbox
    assert {"name", "key", "serial"} <= set(DenylistEntry.objects.values_list("kind", flat=True))


def test_two_fleets_of_one_size_have_the_same_names(fleet):
    again = new_fleet(COUNT)

    names = [fleet.thing(number) for number in range(COUNT)]
    assert [again.thing(number) for number in range(COUNT)] == names
    assert len(set(names)) > COUNT // 2


@pytest.mark.django_db(transaction=True)
def test_a_database_is_filled_and_keeps_its_indexes(est_client):
    assert est_client.simpleenroll(make_csr("template")).status_code == 200

    def indexes():
        with connection.cursor() as cursor:
            found = connection.introspection.get_constraints(cursor, "pki_issuedcertificate")
        return {name: (one["columns"], one["unique"], one["index"]) for name, one in found.items()}

    before = indexes()

    fill(100)

    assert indexes() == before
    assert IssuedCertificate.objects.count() == 102
    connection.check_constraints()
    assert est_client.simpleenroll(make_csr("after", key=make_key(index=1))).status_code == 200
