"""The ends of the audit trail's chains, written down and compared."""

import json
import logging

import pytest
from django.db import connection

from estserver.operations.logs import JSONFormatter
from pki.models import AuditEvent
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_heads import HEADS, chain_heads, compare_heads, heads_report, read_heads
from pki.record.transactions import in_write_transaction
from tests.conftest import TESTER


def record(target):
    in_write_transaction(lambda: audit_trail.record("test", actor=TESTER, target=target))


def delete(*targets):
    with connection.cursor() as cursor:
        for target in targets:
            cursor.execute("DELETE FROM pki_auditevent WHERE target = %s", [target])


@pytest.fixture
def trail(db):
    """Three chains of three rows: a0 a1 a2, b0 b1 b2, c0 c1 c2."""
    for name in "abc":
        audit_trail.start_new_chain()
        for position in range(3):
            record(f"{name}{position}")


def said(heads):
    """An object with these heads, in JSON."""
    return f'{{"audit_heads": {{"at": "x", "chains": 1, "rows": 1, "heads": {heads}}}}}'


def written(**options):
    """The heads as they are now, as an object has them."""
    return json.dumps(heads_report(chain_heads(), **options))


def test_heads_are_the_last_rows_of_all_chains(trail):
    heads = {head.hash: head.rows for head in chain_heads()}

    last = AuditEvent.objects.filter(target__in=["a2", "b2", "c2"])
    assert heads == {event.hash: 3 for event in last}


def test_T48_a_trail_that_only_grew_has_what_it_had(trail):
    earlier = written()
    record("c3")
    audit_trail.start_new_chain()
    record("d0")

    assert compare_heads(read_heads(earlier)) == []


@pytest.mark.parametrize("gone", [["c2"], ["b2"], ["a1", "a2"], ["c0", "c1", "c2"]])
def test_T48_rows_that_were_taken_from_a_chains_end_are_missed(trail, gone):
    earlier = written()

    delete(*gone)

    assert audit_trail.verify()[1] is None  # the chains alone don't show it
    counts, missing = compare_heads(read_heads(earlier))
    assert "and had 9 in 3 at" in counts
    assert "row 2 of chain" in missing
    assert "is missing, which was there at" in missing


def test_T48_a_whole_new_trail_is_not_the_one_that_was_there(trail):
    earlier = written()
    delete(*(f"{name}{position}" for name in "abc" for position in range(3)))
    for name in "xyzw":
        audit_trail.start_new_chain()
        for position in range(4):
            record(f"{name}{position}")

    assert audit_trail.verify()[1] is None
    assert len(compare_heads(read_heads(earlier))) == 3


def test_T48_a_last_row_that_was_written_anew_is_another(trail):
    earlier = written()
    event = AuditEvent.objects.get(target="c2")
    event.reason = "forged"
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pki_auditevent SET reason = 'forged', hash = %s WHERE target = 'c2'",
            [audit_trail.hash_of(event)],
        )

    assert audit_trail.verify()[1] is None
    (problem,) = compare_heads(read_heads(earlier))
    assert "row 2 of chain" in problem
    assert "is not the row that was there at" in problem


def test_a_log_line_lists_the_chains_with_the_newest_rows_and_counts_all(trail):
    report = heads_report(chain_heads(), most=2)[HEADS]

    newest = AuditEvent.objects.filter(target__in=["b2", "c2"])
    assert (report["chains"], report["rows"]) == (3, 9)
    assert report["heads"] == {str(event.chain): [3, event.hash] for event in newest}


def test_T48_chains_that_a_line_does_not_list_are_counted(trail):
    earlier = written(most=1)

    delete("a0", "a1", "a2")

    (problem,) = compare_heads(read_heads(earlier))
    assert "it has 6 rows in 2 chains, and had 9 in 3 at" in problem


def test_heads_are_read_from_a_log_among_other_lines_and_prefixes(trail):
    def line(fields):
        entry = logging.LogRecord("x", logging.INFO, "x.py", 1, "heads", None, None)
        entry.fields = fields
        return JSONFormatter().format(entry)

    first = line(heads_report(chain_heads()))
    record("c3")
    second = line(heads_report(chain_heads()))
    log = "\n".join(
        [
            "Nov 26 21:00:01 est python[7]: " + first,
            '{"message": "request"}',
            "audit_heads?",
            second,
        ]
    )

    reports = read_heads(log)

    assert [report.rows for report in reports] == [9, 10]
    assert compare_heads(reports) == []


def test_an_object_may_have_been_laid_out_by_a_tool(trail):
    (report,) = read_heads(json.dumps(heads_report(chain_heads()), indent=2))

    assert report.rows == 9


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        '{"message": "request"}',
        '{"audit_heads": 1}',
        '{"audit_heads": {"at": "x", "chains": 1, "rows": 1}}',
        said('{"no-uuid": [1, "ab"]}'),
        said('{"00000000000000000000000000000000": [1, "ab"]}'),
        said(f'{{"00000000000000000000000000000000": [0, "{"a" * 64}"]}}'),
        said(f'{{"00000000000000000000000000000000": ["many", "{"a" * 64}"]}}'),
        '{"audit_heads": {"at": "x", "chains": "y", "rows": 1, "heads": {}}}',
    ],
)
def test_what_is_no_heads_is_refused_in_a_sentence(text):
    with pytest.raises(OperatorError, match=r"^The file has .*\.$"):
        read_heads(text)
