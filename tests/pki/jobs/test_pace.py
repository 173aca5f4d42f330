"""A transaction of bulk work is as short on a slow machine as on a fast one. A rest follows it."""

from types import SimpleNamespace

import pytest

from pki.exceptions import Busy
from pki.jobs import pace
from pki.jobs.pace import FIRST, LEAST, LONGEST_REST, SHORT, Pace
from pki.reasons import Reason


class Machine:
    """A machine on which a row takes so many seconds, and a transaction some more."""

    def __init__(self, row, transaction=0.0):
        self.row, self.transaction, self.now = row, transaction, 0.0
        self.sizes, self.rests = [], []

    def write(self, rows):
        self.sizes.append(len(rows))
        self.now += self.transaction + len(rows) * self.row

    @property
    def seconds(self):
        return [self.transaction + size * self.row for size in self.sizes]


@pytest.fixture
def on(monkeypatch):
    """Return a function that writes rows on a machine, at the pace of a job."""

    def write(machine, rows, most=500):
        monkeypatch.setattr(pace, "cpu_time", lambda: machine.now)
        monkeypatch.setattr(pace.time, "perf_counter", lambda: machine.now)
        monkeypatch.setattr(pace.time, "sleep", machine.rests.append)
        monkeypatch.setattr(pace, "in_write_transaction", lambda work: work())
        monkeypatch.setattr(pace, "connection", SimpleNamespace(vendor="sqlite"))
        Pace(most).in_transactions(range(rows), machine.write)
        return machine

    return write


@pytest.mark.parametrize("row", [0.0001, 0.0004, 0.001])
def test_transactions_become_as_short_as_they_should_be(on, row):
    machine = on(Machine(row), 5_000)

    assert sum(machine.sizes) == 5_000
    assert max(machine.seconds[1:]) <= SHORT
    assert len(machine.sizes) <= 5_000 * row / (SHORT / 2) + 10  # and not shorter than is needed


def test_a_machine_that_becomes_slow_gets_smaller_transactions_at_once(on):
    machine = Machine(0.0001)
    on(machine, 1_000)
    machine.sizes.clear()
    machine.row = 0.001
    on(machine, 1_000)

    assert machine.sizes[0] == FIRST
    assert max(machine.sizes[1:]) <= SHORT / machine.row


def test_what_rows_do_not_shorten_does_not_make_them_fewer_than_is_of_use(on):
    machine = on(Machine(0.0, transaction=SHORT * 10), 500)

    assert min(machine.sizes) >= LEAST
    assert len(machine.sizes) <= 500 / LEAST


def test_no_transaction_has_more_rows_than_its_kind_says(on):
    assert max(on(Machine(0.0), 500, most=7).sizes) == 7


def test_devices_have_as_long_to_write_as_the_transaction_lasted(on):
    quick, slow = on(Machine(0.0002), 200), on(Machine(0.01), 100)

    assert quick.rests == pytest.approx(quick.seconds)
    assert slow.rests == [LONGEST_REST] * len(slow.sizes)


def test_other_databases_let_others_write_by_themselves(on, monkeypatch):
    machine = Machine(0.0002)
    on(machine, 1)
    machine.rests.clear()
    monkeypatch.setattr(pace, "connection", SimpleNamespace(vendor="postgresql"))
    Pace(10).in_transactions(range(30), machine.write)

    assert machine.rests == []


def test_a_database_that_does_not_answer_is_no_reason_for_another_size(monkeypatch):
    def busy(work):
        raise Busy(Reason.DATABASE_UNAVAILABLE)

    monkeypatch.setattr(pace, "in_write_transaction", busy)
    one = Pace(100)
    with pytest.raises(Busy):
        one.in_transaction(50, lambda: None)

    assert one.rows == FIRST
