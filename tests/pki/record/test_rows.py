"""Rows that are made and copied without what a model's own methods cost."""

import datetime
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections
from django.db.models.signals import post_init, pre_init
from django.utils import timezone

from pki.models import (
    AuditEvent,
    CertificateAuthority,
    DenylistEntry,
    IssuedCertificate,
    hot_path_rows,
    hot_path_sql,
    hot_path_values,
)
from pki.models.this_connection import this_connection

VALUES = {"common_name": "sensor-1", "serial_number": "0a"}


def test_a_new_row_is_what_the_model_makes():
    row = hot_path_rows.new_row(IssuedCertificate, VALUES)
    made = IssuedCertificate(**VALUES)

    assert row._state.adding
    assert row._state.db is None
    for field in IssuedCertificate._meta.concrete_fields:
        if field.name not in ("id", "created_at"):  # these are new each time
            assert getattr(row, field.attname) == getattr(made, field.attname), field.name
    assert row.pk != made.pk


def test_a_copy_takes_other_values_and_relations_and_the_row_stays_as_it_was():
    row = hot_path_rows.new_row(IssuedCertificate, VALUES)
    row.ca = first = CertificateAuthority(name="first")

    copied = hot_path_rows.copy_of(row)
    copied.common_name = "sensor-2"
    copied.ca = CertificateAuthority(name="second")
    copied._state.adding = False

    assert (row.common_name, row.ca, row._state.adding) == ("sensor-1", first, True)
    assert copied.serial_number == "0a"


def test_a_row_of_which_a_column_was_not_read_is_not_inserted():
    row = hot_path_rows.new_row(IssuedCertificate, VALUES)
    del row.__dict__["csr_der"]

    with pytest.raises(KeyError, match="csr_der"):
        hot_path_sql.insert(row)


@pytest.mark.django_db(transaction=True)
def test_a_row_read_by_hand_is_what_the_orm_reads(issued_row):
    (by_hand,) = hot_path_sql.fetch(IssuedCertificate, "id = %s", [_as_stored(issued_row.pk)])
    by_orm = IssuedCertificate.objects.get(pk=issued_row.pk)

    assert not by_hand._state.adding
    assert by_hand._state.db == by_orm._state.db
    for field in IssuedCertificate._meta.concrete_fields:
        value = by_hand.__dict__[field.attname]
        assert value == by_orm.__dict__[field.attname], field.name
        assert type(value) is type(by_orm.__dict__[field.attname]), field.name


@pytest.mark.django_db(transaction=True)
def test_a_column_that_was_not_read_is_read_when_it_is_asked_for(issued_row):
    (row,) = hot_path_sql.fetch(
        IssuedCertificate, "id = %s", [_as_stored(issued_row.pk)], without=("der",)
    )

    assert row.get_deferred_fields() == {"der"}
    assert row.der == issued_row.der


@pytest.mark.django_db
def test_values_go_to_the_database_as_djangos_fields_prepare_them():
    local = datetime.timezone(datetime.timedelta(hours=2))
    values = {
        "created_at": datetime.datetime(2026, 11, 27, 18, 4, 5, 67, tzinfo=local),
        "not_after": datetime.datetime(2026, 11, 27, 16, 4, 5, tzinfo=datetime.UTC),
        "ca_id": uuid.uuid4(),
        "id": uuid.uuid4(),
        "source_ip": "2001:db8::1",
        "san": "a.example",
        "superseded_at": None,
    }
    fields = {field.attname: field for field in IssuedCertificate._meta.concrete_fields}
    expected = [
        fields[name].get_db_prep_value(value, connection, prepared=True)
        for name, value in values.items()
    ]
    assert hot_path_values.prepared_values(IssuedCertificate, values) == expected


def test_nothing_listens_to_the_signals_that_rows_made_here_do_not_send():
    for model in (IssuedCertificate, DenylistEntry, AuditEvent):
        assert not pre_init.has_listeners(model)
        assert not post_init.has_listeners(model)


def test_each_thread_has_djangos_connection_of_its_own():
    def pair():
        return this_connection(), connections["default"]

    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(pair).result()
    ours = pair()

    assert ours[0] is ours[1]
    assert theirs[0] is theirs[1]
    assert ours[0] is not theirs[0]


def _as_stored(pk):
    return hot_path_values.prepared_value(IssuedCertificate, "id", pk)


@pytest.fixture
def issued_row():
    ca = CertificateAuthority.objects.create(
        name="ca", pem="", purpose="device", not_after=timezone.now(), not_before=timezone.now()
    )
    row = hot_path_rows.new_row(
        IssuedCertificate,
        VALUES
        | {
            "ca_id": ca.pk,
            "der": b"\x30\x01",
            "csr_der": b"\x30\x02",
            "source_ip": "192.0.2.1",
            "not_before": timezone.now(),
            "not_after": timezone.now().replace(microsecond=0),
        },
    )
    hot_path_sql.insert(row)
    return row
