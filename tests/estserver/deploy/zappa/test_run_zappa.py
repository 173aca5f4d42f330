"""Zappa as a part of `aws_deploy`: which of its lines are shown, and how its failure ends."""

import pytest

from estserver.deploy.zappa import run_zappa
from estserver.deploy.zappa.run_zappa import PACKAGE, PART_OF_DEPLOY
from pki.operators.errors import OperatorError

REAL = "WARNING:Problem scheduling every_minute with expression rate(1 minute)."


@pytest.fixture
def zappa(monkeypatch):
    """Another program in Zappa's place."""
    return lambda program: monkeypatch.setattr(run_zappa, "_PROGRAM", program)


def test_what_means_nothing_is_left_out_and_real_warnings_stay(zappa, said):
    zappa(
        "import sys, warnings\n"
        "warnings.warn('Setuptools is replacing distutils. Support for', UserWarning)\n"
        "print('Calling \\x1b[32mdeploy\\x1b[0m for stage est..')\n"
        "print('INFO:Packaging project as zip.')\n"
        "print('  0%|          | 0.00/34.8M\\r100%|##########| 34.8M/34.8M')\n"
        "print('INFO:Uploading est.zip (33.2MiB)..')\n"
        f"print({REAL!r}, file=sys.stderr)\n"
        "warnings.warn('a package is old', UserWarning)\n"
        "print('Deployment complete!: https://abc.execute-api.eu-central-1.amazonaws.com/est')\n"
    )

    run_zappa.run_zappa("deploy", "est", say=said)

    assert "  Uploading est.zip (33.2MiB).." in said.lines
    assert f"  {REAL}" in said.lines
    assert "UserWarning: a package is old" in said.text
    for noise in ("Calling", "Packaging", "%", "distutils", "complete"):
        assert noise not in said.text


def test_a_failure_ends_in_a_sentence_with_zappas_last_lines(zappa, said):
    zappa("import sys; print('Uploading'); sys.exit('Error: the bucket is gone.')")

    with pytest.raises(OperatorError) as caught:
        run_zappa.run_zappa("deploy", "est", say=said)

    assert str(caught.value) == (
        "zappa deploy est ended with exit code 1: Uploading Error: the bucket is gone."
    )


def test_the_callbacks_are_told_what_is_done_elsewhere_and_where_the_package_is(
    zappa, said, tmp_path
):
    zappa(f"import os; print(os.environ['{PART_OF_DEPLOY}'], os.environ['{PACKAGE}'])")

    run_zappa.deploy_stage("est", package=tmp_path, say=said)

    assert said.lines == [f"  1 {tmp_path}"]
