"""A CSV file denies everything in it, or nothing; every complaint names its line."""

import datetime

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from pki.denylist.adding import Outcome
from pki.denylist.csv_import import FileRefused, compare, read_lines
from pki.denylist.entries import deny
from pki.exceptions import Busy
from pki.jobs.denying import import_lines
from pki.models import AuditEvent, DenylistEntry, IssuedCertificate
from tests.conftest import TESTER
from tests.support.builders import make_csr

HEADER = b"kind,value,reason,expires\n"
NEXT_YEAR = timezone.now().year + 1


def complaints(content, **options):
    with pytest.raises(FileRefused) as caught:
        read_lines(content, **options)
    assert str(caught.value) == "\n".join(caught.value.complaints)
    return list(caught.value.complaints)


def test_lines_are_read_as_they_will_be_stored():
    lines = read_lines(
        HEADER
        + f"name,Sensor-1,stolen,{NEXT_YEAR}-06-30\n".encode()
        + b'device-serial,SN-1,"lost, perhaps",\n\nserial,0A:0B,sold,\n'
    )

    assert [(line.number, line.kind, line.value, line.reason) for line in lines] == [
        (2, "name", "sensor-1", "stolen"),
        (3, "device-serial", "sn-1", "lost, perhaps"),
        (5, "serial", "a0b", "sold"),
    ]
    assert lines[0].expires_at == datetime.datetime(NEXT_YEAR, 7, 1, tzinfo=datetime.UTC)
    assert lines[1].expires_at is None


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfkind,value,reason\r\nname,sensor-1,r\r\n",  # as spreadsheets save it
        b"value, Kind ,reason\nsensor-1,NAME,r",
        b"reason,kind,value,expires\nr,name,sensor-1\n",
    ],
)
def test_spreadsheets_ways_are_understood(content):
    (line,) = read_lines(content)

    assert (line.number, line.kind, line.value, line.reason) == (2, "name", "sensor-1", "r")


def test_one_reason_may_serve_for_all():
    lines = read_lines(b"kind,value,reason\nname,a,\nname,b,sold\n", default_reason="recall 7")

    assert [line.reason for line in lines] == ["recall 7", "sold"]


def test_every_complaint_is_made_at_once_and_names_its_line():
    found = complaints(
        HEADER
        + b"name,sensor 1,r,\n"
        + b"nme,sensor-1,r,\n"
        + b"name,sensor-1,r,\n"
        + b'name,sensor-2,"two\nlines",\n'
        + b"name,SENSOR-1,r,\n"
        + b"serial,xyz,r,\n"
        + b"name,sensor-3,r,2020-01-01\n"
        + b"name,sensor-4,,\n"
        + b"name,sensor-5,r,,,\n"
        + b"name\n"
    )

    assert [complaint.partition(":")[0] for complaint in found] == [
        "Line 2",
        "Line 3",
        "Line 5",  # that record ends on line 6
        "Line 7",
        "Line 8",
        "Line 9",
        "Line 10",
        "Line 11",
        "Line 12",
    ]
    assert found[3] == "Line 7: name sensor-1 is also on line 4. Remove one of them."
    assert found[7] == (
        "Line 11: There are 6 columns, but the header has 4. Put quotes round a text that holds a "
        "comma."
    )


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "The file is empty. It must begin with the header kind,value,reason,expires."),
        (HEADER, "The file has a header and no lines below it."),
        (
            b"name,sensor-1,r\n",
            "Line 1: 'name' is not a column. Use the header kind,value,reason,expires.",
        ),
        (b"kind,reason\nname,r\n", "Line 1: The column value is missing."),
        (b"kind,value,value\n", "Line 1: The header names a column twice."),
        (b"kind;value;reason\n", "Line 1: The columns are not separated by commas."),
        (HEADER + b"name,sensor-1,gestohlen \xfcber Nacht,\n", "Line 2: This is not UTF-8 text."),
        (HEADER + b'name,"sensor-1,r,\n', "Line 2: This is not CSV"),
        (b"\x00\x01\x02", "Line 1: '\\x00\\x01\\x02' is not a column"),
        (HEADER + b"name,sensor-1," + b"r" * 501 + b",\n", "Line 2: The reason is longer than 500"),
    ],
)
def test_a_file_that_isnt_such_a_list_is_refused(content, complaint):
    (found,) = complaints(content)

    assert found.startswith(complaint)


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r"])
def test_T06_a_formula_never_becomes_a_value(sign):
    found = complaints(HEADER + f'name,"{sign}cmd|calc!A0",r,\n'.encode())

    assert found[0].startswith("Line 2: ")


def test_T06_a_reason_may_begin_as_a_formula_and_stays_text(db):
    lines = read_lines(HEADER + b'name,sensor-1,"=HYPERLINK(""x"")",\n')

    import_lines(lines, actor=TESTER)

    assert DenylistEntry.objects.get().reason == '=HYPERLINK("x")'


@pytest.fixture
def three_lines(db):
    """One that is there, one with other terms, one that is new."""
    deny("name", "same", reason="r", actor=TESTER)
    deny("name", "changed", reason="before", actor=TESTER)
    return read_lines(HEADER + b"name,same,r,\nname,changed,after,\nname,new,r,\n")


def test_compare_says_what_would_happen_and_writes_nothing(three_lines):
    assert compare(three_lines) == [Outcome.SAME, Outcome.KEPT, Outcome.NEW]
    replacing = compare(three_lines, is_replacing=True)
    assert replacing == [Outcome.SAME, Outcome.CHANGED, Outcome.NEW]

    assert DenylistEntry.objects.count() == 2


def test_an_import_does_what_compare_said(three_lines):
    outcomes = import_lines(three_lines, actor=TESTER, is_replacing=True)

    assert outcomes == [Outcome.SAME, Outcome.CHANGED, Outcome.NEW]
    assert DenylistEntry.objects.get(value="changed").reason == "after"
    assert AuditEvent.objects.filter(action="deny").count() == 4
    assert compare(three_lines) == [Outcome.SAME] * 3


def test_T54_an_import_keeps_the_terms_of_entries_that_are_there(three_lines):
    assert import_lines(three_lines, actor=TESTER) == [Outcome.SAME, Outcome.KEPT, Outcome.NEW]

    assert DenylistEntry.objects.get(value="changed").reason == "before"
    assert AuditEvent.objects.filter(action="deny").count() == 3
    assert compare(three_lines) == [Outcome.SAME, Outcome.KEPT, Outcome.SAME]


def test_who_is_on_the_list_enrolls_no_more(est_client):
    import_lines(read_lines(HEADER + b"name,Sensor-1,recall,\n"), actor=TESTER)

    assert est_client.simpleenroll(make_csr("sensor-1")).reason == "device-denied"


def test_an_import_voids_the_intents_it_names(est_client):
    est_client.simpleenroll(make_csr("sensor-1"))
    rows = IssuedCertificate.objects.for_name("sensor-1")
    rows.update(state="intent", der=None, fingerprint_sha256=None, current_name=None)

    import_lines(read_lines(HEADER + b"name,sensor-1,recall,\n"), actor=TESTER)

    assert rows.get().state == "void"


def test_T17_a_failure_half_way_leaves_nothing_behind(three_lines):
    written = []

    def fail_at_the_second_entry(execute, sql, *arguments):
        if "pki_denylistentry" in sql and sql.startswith(("INSERT", "UPDATE")):
            written.append(sql)
            if len(written) == 2:
                raise OperationalError("disk full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(fail_at_the_second_entry), pytest.raises(Busy):
        import_lines(three_lines, actor=TESTER, is_replacing=True)

    assert DenylistEntry.objects.get(value="changed").reason == "before"
    assert not DenylistEntry.objects.filter(value="new").exists()
