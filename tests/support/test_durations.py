"""The table of where a run's time goes."""

import pytest

from tests.support.durations import folder_of, lines

REPORT = """<testsuites><testsuite>
<testcase classname="tests.pki.record.test_rows" name="a" time="0.1"/>
<testcase classname="tests.pki.record.test_snapshot" name="b" time="3.0"/>
<testcase classname="tests.test_words" name="c" time="7.5"/>
</testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("class_name", "folder"),
    [
        ("tests.test_words", "test_words"),
        ("tests.interop.test_curl", "interop"),
        ("tests.estserver.deploy.package.test_locks", "estserver/deploy"),
    ],
)
def test_a_test_counts_for_its_file_or_its_first_two_folders(class_name, folder):
    assert folder_of(class_name) == folder


def test_what_takes_longest_comes_first_and_all_is_summed_up(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)

    assert [line.split() for line in lines(tmp_path / "report.xml")] == [
        ["8", "s", "1", "tests", "test_words"],
        ["3", "s", "2", "tests", "pki/record"],
        ["11", "s", "3", "tests"],
        ["0", "s", "1", "tests", "of", "less", "than", "0.2", "s", "each"],
    ]
