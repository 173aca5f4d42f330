"""docs/deploying.md and the Dockerfile name what is there."""

import re
import subprocess
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from estserver.deploy.resources.logs import ACCESS_LOG_FIELDS
from estserver.functions.admin import COMMANDS
from pki.authorities.test_client import TEST_CLIENT

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/deploying.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"manage\.py (\w+)((?: --[a-z-]+)?)", TEXT)))


@pytest.mark.parametrize(("command", "option"), NAMED)
def test_commands_and_options_are_there(command, option):
    app = get_commands()[command]
    parser = load_command_class(app, command).create_parser("manage.py", command)

    assert option.strip() in {o for a in parser._actions for o in a.option_strings} | {""}


def test_what_is_run_in_the_admins_function_may_be_run_there():
    named = re.findall(r"aws_run (\w+)", TEXT)

    assert len(named) >= 2
    assert set(named) <= COMMANDS


def test_the_access_logs_fields_are_those_that_are_logged():
    _, _, rest = TEXT.partition("| Field | What it tells |\n|---|---|\n")
    rows = rest.partition("\n\n")[0].splitlines()

    named = {field for row in rows for field in re.findall(r"`(\w+)`", row.split("|")[1])}

    assert len(named) > 10
    assert named <= {*ACCESS_LOG_FIELDS}


def test_the_image_has_every_package_and_no_key_of_this_machine():
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = re.findall(r"(?m)^COPY (\S+)", dockerfile)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert {"estserver/", "iotprov/", "pki/"} <= {*copied}
    assert all((ROOT / name).exists() for name in copied)
    assert {"!" + name.rstrip("/") for name in copied} <= {*ignored}
    assert {"config/config.yaml", "**/*.key", "**/*.pem", "**/*.p12", "**/*.pfx"} <= {*ignored}
    assert re.search(r"(?m)^USER \d+$", dockerfile)


# From a clone to a device


def lines_to_paste():
    """The first block of the page."""
    _, _, rest = TEXT.partition("## In short\n\n")
    block = rest.partition("\n\n")[0].splitlines()
    return [line.strip().partition("   #")[0].strip() for line in block]


def test_from_a_clone_to_smoke_it_takes_at_most_eight_lines():
    lines = lines_to_paste()

    assert len(lines) <= 8
    assert lines[0].startswith("git clone")
    assert "make deploy" in lines
    assert "manage.py smoke" in lines[-1]


def test_each_line_leads_to_the_next():
    lines = lines_to_paste()
    [fetch] = (line for line in lines if "aws_client_files" in line)
    directory = fetch.split()[-1]
    [smoke] = (line for line in lines if "manage.py smoke" in line)
    [copied, configuration] = next(line for line in lines if line.startswith("cp ")).split()[1:]

    for option, suffix in (("cert", "pem"), ("key", "key")):
        assert f"--{option} {directory}/{TEST_CLIENT}.{suffix}" in smoke
    assert (ROOT / copied).is_file()
    assert configuration == "config/config.yaml"
    assert f"editor {configuration}" in lines


def test_make_deploy_is_the_one_command():
    printed = subprocess.run(
        [
            "make",
            "--no-print-directory",  # `make test` runs this make inside of itself
            *("-n", "-o", ".venv/.run", "deploy", "CONFIG=x.yaml", "ARGS=--dry-run"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    [line] = printed.splitlines()[-1:]
    assert line.endswith("manage.py aws_deploy --dry-run")
    assert "-u EST_CONFIG" not in line  # the file that was named is the one that is deployed


def test_readme_has_the_same_lines():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    for line in lines_to_paste()[4:]:
        assert line in readme
