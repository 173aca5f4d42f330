"""The base of the commands: what is typed back, progress, secrets, and what a rehearsal undoes."""

import io
import sys

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from pki.operators import progress
from pki.operators.command import OperatorCommand
from pki.operators.confirmation import typed_back
from pki.operators.effects import Effect
from pki.operators.options import subparsers_of
from pki.operators.output import cell, fact_lines, table_lines
from pki.operators.progress import ProgressBar
from pki.operators.secret_input import read_secret


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self):
        return True


def typing(monkeypatch, text, *, is_terminal=True):
    """Let a person, or a pipe, have typed the text."""
    monkeypatch.setattr(sys, "stdin", (Terminal if is_terminal else io.StringIO)(text))


# What is typed back


def test_the_name_is_typed_back_on_a_terminal(monkeypatch):
    typing(monkeypatch, "device-ca\n")
    out = io.StringIO()

    typed_back("device-ca", OutputWrapper(out))

    assert out.getvalue() == "To go on, type device-ca: "


@pytest.mark.parametrize("typed", ["", "\n", "device-c\n", "yes\n", "DEVICE-CA\n"])
def test_another_text_changes_nothing(monkeypatch, typed):
    typing(monkeypatch, typed)

    with pytest.raises(CommandError, match=r"not device-ca\. Nothing was changed") as caught:
        typed_back("device-ca", OutputWrapper(io.StringIO()))
    assert caught.value.returncode == 1


def test_where_there_is_no_terminal_a_text_on_standard_input_confirms_nothing(monkeypatch):
    typing(monkeypatch, "device-ca\n", is_terminal=False)

    with pytest.raises(CommandError, match="Add --yes") as caught:
        typed_back("device-ca", OutputWrapper(io.StringIO()))
    assert caught.value.returncode == 1


# Progress


def test_a_terminal_has_a_bar(monkeypatch):
    monkeypatch.setattr(progress, "_PAUSE", 0)
    terminal = Terminal()
    bar = ProgressBar(OutputWrapper(terminal))

    bar.show(0, 4, "0 of 4 lines")
    bar.show(2, 4, "2 of 4 lines")
    bar.show(4, 4, "4 of 4")
    bar.end()

    drawn = terminal.getvalue().split("\r")
    assert drawn[1] == f"[{'.' * 30}] 0 of 4 lines"
    assert drawn[2] == f"[{'#' * 15}{'.' * 15}] 2 of 4 lines"
    assert drawn[3].startswith(f"[{'#' * 30}] 4 of 4 ")
    assert drawn[3].endswith("\n")


def test_a_pipe_has_no_bar():
    pipe = io.StringIO()
    bar = ProgressBar(OutputWrapper(pipe))

    bar.show(1, 2, "1 of 2 lines")
    bar.end()

    assert pipe.getvalue() == ""


# Tables


def test_a_table_has_its_columns_below_each_other_and_shows_every_character():
    rows = [{"name": "a", "is_active": True}, {"name": "long\u202ename", "is_active": None}]

    assert table_lines(("name", "is_active"), rows) == [
        "NAME            IS ACTIVE",
        "a               yes",
        "long\\u202ename",
    ]
    assert table_lines(("name",), []) == []
    assert cell(["a", "b"]) == "a, b"


def test_facts_that_are_empty_are_left_out():
    assert fact_lines({"common_name": "x", "san": "", "is_it": False}) == [
        "common name  x",
        "is it        no",
    ]


# Secrets


def test_a_secret_is_the_first_line_of_standard_input(monkeypatch):
    typing(monkeypatch, "a long secret \r\nmore\n", is_terminal=False)

    assert read_secret("Password") == "a long secret "


def test_a_secret_is_typed_twice_and_unseen_on_a_terminal(monkeypatch):
    typing(monkeypatch, "")
    typed = iter(["secret-1", "secret-2", "secret-3", "secret-3"])
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(typed))

    with pytest.raises(CommandError, match="The two lines differ"):
        read_secret("Password")
    assert read_secret("Password") == "secret-3"


def test_a_short_secret_is_refused(monkeypatch):
    typing(monkeypatch, "short\n", is_terminal=False)

    with pytest.raises(CommandError, match=r"it has 5 characters\. Use at least 8"):
        read_secret("Password of the file", shortest=8)


# A command that makes its subcommands' parsers itself


class Lights(OperatorCommand):
    """A command with two subcommands, of which one prints JSON of its own."""

    effect = Effect.MORE
    is_dangerous = True
    effects_of_subcommands = {"list": Effect.READS}

    def add_arguments(self, parser):
        verbs = parser.add_subparsers(dest="verb", required=True)
        verbs.add_parser("list").add_argument("--json", action="store_true")
        verbs.add_parser("end").add_argument("name")

    def handle(self, *args, verb, **options):
        if verb == "list" and options["json"]:
            self.stdout.write('{"own": 1}')
        else:
            self.say(f"{verb} is done", verb=verb)


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        (["list"], "list is done\n"),
        (["list", "--json"], '{"own": 1}\n'),
        (["end", "x"], "end is done\n"),
        (["end", "x", "--json"], '{"said": "end is done", "verb": "end"}\n'),
    ],
)
def test_subcommands_of_one_class_have_the_options_of_every_command(words, printed):
    out = io.StringIO()

    call_command(Lights(), *words, stdout=out)

    assert out.getvalue() == printed


def test_a_subcommand_that_reads_has_no_dry_run():
    parsers = subparsers_of(Lights().create_parser("manage.py", "lights"))
    options = {
        name: {text for action in each._actions for text in action.option_strings}
        for name, each in parsers.items()
    }

    assert {"--dry-run", "--yes"} <= options["end"]
    assert not {"--dry-run", "--yes"} & options["list"]


def test_wrong_usage_of_a_subcommand_is_code_2():
    with pytest.raises(CommandError) as caught:
        call_command(Lights(), "end", stdout=io.StringIO())

    assert caught.value.returncode == 2
