"""No file imports itself through others: a circle hides which of two files is the lower one."""

from pathlib import Path

from bench.structure import measure

ROOT = Path(__file__).parents[1]


def test_no_files_import_each_other_in_a_circle():
    circles = {house.name: house.circles for house in measure(ROOT)}

    assert len(circles) == 4
    assert not any(circles.values()), circles
