"""A test whose program is missing is skipped on a laptop, and fails in CI."""

from pathlib import Path

import pytest

from tests.support.programs import require_file, require_program

MISSING = [
    lambda: require_program("no-such-program", package="no-such-package"),
    lambda: require_file(Path("/no/such/file"), package="no-such-package"),
]


@pytest.mark.parametrize("require", MISSING)
def test_missing_program_skips_with_the_reason(monkeypatch, require):
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="Debian: no-such-package"):
        require()


@pytest.mark.parametrize("require", MISSING)
def test_missing_program_fails_in_ci(monkeypatch, require):
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="Debian: no-such-package"):
        require()


def test_present_program_is_found(tmp_path):
    assert Path(require_program("sh", package="dash")).is_file()
    assert require_file(tmp_path, package="none") == tmp_path
