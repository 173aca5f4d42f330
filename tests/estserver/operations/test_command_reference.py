"""docs/commands.md is what the parsers and the registry of actions say."""

import io
import re

import pytest
from django.core.management import call_command

from estserver.operations.command_list import command_shapes
from estserver.operations.command_reference import REFERENCE_FILE, command_reference


@pytest.fixture(scope="module")
def page():
    return command_reference()


def test_the_page_is_what_the_code_says(page):
    assert REFERENCE_FILE.read_text(encoding="utf-8") == page, (
        "docs/commands.md is out of date. Run manage.py commands_reference --write."
    )


def test_every_command_and_subcommand_has_its_place(page):
    headings = re.findall(r"^#{3,4} (.+)$", page, re.MULTILINE)

    assert headings == [shape.name for shape in command_shapes()]


def test_the_page_names_nothing_of_this_machine(page):
    assert str(REFERENCE_FILE.parent) not in page
    assert "None |" not in page


def test_a_dry_run_says_whether_the_page_would_change(monkeypatch, tmp_path):
    from estserver.management.commands.commands_reference import Command

    monkeypatch.setattr(Command, "page", tmp_path / "commands.md")
    out = io.StringIO()

    call_command("commands_reference", "--write", "--dry-run", stdout=out)
    assert "would change" in out.getvalue()
    assert not (tmp_path / "commands.md").exists()

    call_command("commands_reference", "--write", stdout=io.StringIO())
    call_command("commands_reference", "--dry-run", stdout=out)
    assert out.getvalue().rstrip().endswith("is as the code says.")
