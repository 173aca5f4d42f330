"""What travels with a stage is locked by the lock tool, to what everybody installs."""

import re

import pytest

from estserver.deploy.package.libraries import stage_locks
from tests.estserver.deploy.package.locks import read_lock, read_locks
from tests.estserver.deploy.packages import ROOT

REQUIREMENTS = ROOT / "requirements"
LOCK = ROOT / "requirements.txt"
ONLY_HERE = {"gunicorn", "pydantic", "pyyaml"}
FOR_ZAPPAS_COMMAND_LINE = {"requests", "troposphere", "argcomplete", "pip", "setuptools"}


def named_in(name):
    """The files and the distributions that a requirements/*.in names itself."""
    lines = [
        line.partition("#")[0].strip() for line in (REQUIREMENTS / name).read_text().splitlines()
    ]
    files = {line.split()[1] for line in lines if line.startswith("-r")}
    names = {re.match(r"[\w.-]+", line)[0].lower() for line in lines if line and line[0] != "-"}
    return files, names


def compiled():
    """What `make lock` compiles: each input, and its output."""
    recipe = re.search(r"^lock:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return dict(re.findall(r"requirements/(\S+\.in) -o (\S+\.txt)", recipe[1]))


@pytest.mark.parametrize("stage", ["est", "admin"])
def test_a_stages_lock_is_part_of_the_lock_with_its_versions_and_hashes(stage):
    whole = read_lock(LOCK.read_text())
    part = read_locks(stage_locks(stage))

    assert len(part) > 10
    assert all(each.hashes for each in part.values())
    assert {name: (each.version, each.hashes) for name, each in part.items()} == {
        name: (whole[name].version, whole[name].hashes) for name in part
    }


def test_a_stage_takes_what_it_needs_and_no_more():
    est, admin = (read_locks(stage_locks(stage)).keys() for stage in ("est", "admin"))

    assert not (est | admin) & (ONLY_HERE | FOR_ZAPPAS_COMMAND_LINE)
    assert est - admin == {"apig-wsgi"}
    assert {"zappa", "werkzeug", "durationpy", "whitenoise", "django-csp"} <= admin - est


@pytest.mark.parametrize("stage", ["est", "admin"])
def test_boto3_is_packaged_with_all_it_needs_or_not_at_all(stage):
    locked = read_locks(stage_locks(stage))

    assert {"boto3", "botocore", "s3transfer", "jmespath", "urllib3"} <= locked.keys()


def test_what_an_operator_adds_for_both_functions_is_in_every_lock():
    assert named_in("est.in")[0] == named_in("admin.in")[0] == {"functions.in"}
    assert named_in("main.in")[0] == {"est.in", "admin.in", "zappa.in"}
    assert named_in("dev.in")[0] == {"main.in"}


def test_each_input_is_compiled_to_a_lock_of_its_name_that_holds_what_it_names():
    outputs = compiled()

    assert outputs == {
        name: "requirements.txt" if name == "main.in" else f"requirements/{name[:-3]}.txt"
        for name in outputs
    }
    for name, output in outputs.items():
        assert named_in(name)[1] <= read_lock((ROOT / output).read_text()).keys()
    assert {path.name for path in REQUIREMENTS.glob("*.in")} == {
        *outputs,
        "functions.in",  # part of the others
    }
    assert {f"requirements/{path.name}" for path in REQUIREMENTS.glob("*.txt")} == {
        output for output in outputs.values() if "/" in output
    }


def test_markers_of_the_lock_are_read():
    text = "a==1 ; python_version < '3.14' \\\n    --hash=sha256:22\n    # via b\nb[c]==2 \\\n"

    locked = read_lock(text)

    assert (locked["a"].version, locked["a"].marker) == ("1", "python_version < '3.14'")
    assert locked["a"].hashes == {"sha256:22"}
    assert locked["b"].version == "2"
