"""Rows that are made and copied without what a model's own methods cost."""

import pytest

from pki.models import CertificateAuthority, IssuedCertificate, hot_path_sql

VALUES = {"common_name": "sensor-1", "serial_number": "0a"}


def test_a_new_row_is_what_the_model_makes():
    row = hot_path_sql.new_row(IssuedCertificate, VALUES)
    made = IssuedCertificate(**VALUES)

    assert row._state.adding
    assert row._state.db is None
    for field in IssuedCertificate._meta.concrete_fields:
        if field.name not in ("id", "created_at"):  # these are new each time
            assert getattr(row, field.attname) == getattr(made, field.attname), field.name
    assert row.pk != made.pk


def test_a_copy_takes_other_values_and_relations_and_the_row_stays_as_it_was():
    row = hot_path_sql.new_row(IssuedCertificate, VALUES)
    row.ca = first = CertificateAuthority(name="first")

    copied = hot_path_sql.copy_of(row)
    copied.common_name = "sensor-2"
    copied.ca = CertificateAuthority(name="second")
    copied._state.adding = False

    assert (row.common_name, row.ca, row._state.adding) == ("sensor-1", first, True)
    assert copied.serial_number == "0a"


def test_a_row_of_which_a_column_was_not_read_is_not_inserted():
    row = hot_path_sql.new_row(IssuedCertificate, VALUES)
    del row.__dict__["csr_der"]

    with pytest.raises(KeyError, match="csr_der"):
        hot_path_sql.insert(row)
