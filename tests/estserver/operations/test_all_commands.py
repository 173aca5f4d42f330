"""What holds for every management command and subcommand, found by walking them all."""

import ast
import inspect
import io
import json
import re
from importlib import import_module

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper
from django.db import OperationalError

from estserver.operations.command_list import command_names, command_shapes, option_names
from pki.operators.command import OperatorCommand, refuse
from pki.operators.effects import Effect
from pki.operators.errors import OperatorError, RemoteFailure
from pki.operators.subcommands import CommandGroup

SHAPES = {shape.name: shape for shape in command_shapes()}
LEAVES = {name: shape for name, shape in SHAPES.items() if not shape.subcommands}
WRITERS = [name for name, shape in LEAVES.items() if shape.effect in (Effect.DATABASE, Effect.MORE)]

PREVIEWS = {
    "migrate": "--plan",
    "aws_destroy": "--plan",
    "zappa_settings": "--check",
}
"""Options that were there before, and mean the same as the --dry-run beside them."""


def test_every_command_of_the_project_is_walked():
    assert {"deny", "certificates", "people", "outbox", "aws_deploy", "runest"} <= {*SHAPES}
    assert {"denylist test", "policy push", "people set-roles"} <= {*SHAPES}
    assert len(command_names()) >= 60


@pytest.mark.parametrize("name", PREVIEWS)
def test_an_older_option_for_a_dry_run_is_still_there(name):
    assert {PREVIEWS[name], "--dry-run"} <= {*option_names(SHAPES[name])}


@pytest.mark.parametrize("name", LEAVES)
def test_a_command_is_of_the_one_base_and_has_the_options_of_its_effect(name):
    shape, command = LEAVES[name], LEAVES[name].command
    options = {text for action in shape.options() for text in action.option_strings}

    assert isinstance(command, OperatorCommand)
    assert "--json" in options
    assert ("--dry-run" in options) is (shape.effect in (Effect.DATABASE, Effect.MORE))
    assert ("--yes" in options) is shape.is_dangerous
    assert _taking_secrets(shape) == []
    names = {*_names_in(command)}
    if command.effect is Effect.READS and name not in READING_PARTS:
        assert "command_actor" not in names  # it says that it changes nothing
    if name not in OWN_YES:
        assert ("confirm" in names) is command.is_dangerous


READING_PARTS = {"truststore diff", "truststore list"}
"""Parts of `aws_truststore`, which changes something with other options."""

OWN_YES = {"aws_destroy", "aws_truststore", "truststore push", "truststore activate"}
"""Commands that list what goes, and refuse without --yes on a terminal too."""


def _taking_secrets(shape):
    secret = re.compile("password|passphrase|secret|token|private")
    return [
        action.dest
        for action in [*shape.options(), *shape.positionals()]
        if action.nargs != 0 and secret.search(action.dest)
    ]


def _names_in(command):
    """The names that the classes of a command use, those of its bases in this project too."""
    for kind in type(command).__mro__:
        if kind.__module__.split(".")[0] not in ("pki", "iotprov", "estserver"):
            continue
        if kind is OperatorCommand:
            return
        tree = ast.parse(inspect.getsource(import_module(kind.__module__)))
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
                for each in ast.walk(node):
                    if isinstance(each, ast.Name):
                        yield each.id
                    elif isinstance(each, ast.Attribute):
                        yield each.attr


# Exit codes and errors


def _remote():
    return RemoteFailure("iot:DescribeEndpoint", "Throttling", "slow down", "Try again later.")


FAILURES = {
    "a refusal": (lambda: OperatorError("It cannot be done. Do it otherwise."), 1),
    "AWS": (_remote, 3),
    "the database": (lambda: OperationalError("no such table: x"), 3),
    "a refusal that AWS caused": (lambda: _caused(OperatorError("Not read."), _remote()), 3),
    "a bug": (lambda: ZeroDivisionError("division by zero"), 1),
}


def _caused(error, cause):
    error.__cause__ = cause
    return error


def _fails(monkeypatch, command, error):
    def handle(*args, **options):
        raise error

    monkeypatch.setattr(command, "handle", handle, raising=False)
    command._called_from_command_line = True
    with pytest.raises(CommandError) as caught:
        command.execute(
            stdout=io.StringIO(),
            stderr=io.StringIO(),
            force_color=False,
            no_color=True,
            skip_checks=True,
            traceback=False,
            verbosity=1,
        )
    return caught.value


@pytest.mark.parametrize("name", LEAVES)
def test_a_command_ends_with_the_code_of_what_failed_and_one_sentence(monkeypatch, name):
    command = type(LEAVES[name].command)()
    for error, code in FAILURES.values():
        found = _fails(monkeypatch, command, error())

        assert found.returncode == code, (name, error)
        assert re.fullmatch(r"[A-Z\w].*\.", str(found), re.DOTALL)
        assert "Traceback" not in str(found)


def test_a_bug_is_shown_in_full_with_traceback_only():
    command = LEAVES["count_certificates"].command.__class__()
    command._called_from_command_line = True
    command.handle = lambda **options: 1 / 0
    given = {"force_color": False, "no_color": True, "skip_checks": True}

    with pytest.raises(ZeroDivisionError):
        command.execute(**given, traceback=True)
    with pytest.raises(CommandError, match="--traceback"):
        command.execute(**given, traceback=False)


@pytest.mark.parametrize("name", command_names())
def test_wrong_usage_is_code_2_of_a_command_and_of_its_subcommands(name):
    for words in ([name], *([name, word] for word in SHAPES[name].subcommands)):
        with pytest.raises(CommandError) as caught:
            call_command(*words, "--no-such-option", stdout=io.StringIO())

        assert caught.value.returncode == 2


def test_a_refusal_goes_to_standard_error_and_nothing_to_the_output(db, capfd):
    from django.core.management import execute_from_command_line

    with pytest.raises(SystemExit) as caught:
        execute_from_command_line(["manage.py", "certificates", "show", "abcdef", "--json"])
    out, err = capfd.readouterr()

    assert caught.value.code == 1
    assert out == ""
    assert err.count("\n") == 1
    assert "No certificate 'abcdef' is on record." in err


# What is printed


@pytest.mark.parametrize("name", [n for n in LEAVES if "" not in LEAVES[n].command._own_json])
def test_whatever_a_command_prints_is_json_lines_if_asked(monkeypatch, name):
    command = type(LEAVES[name].command)()
    command.create_parser("manage.py", name.split()[0])

    def handle(*args, **options):
        command.stdout.write("a line\nand another")
        command.say("A sentence.", number=1)
        command.print_rows(("a", "b"), [{"a": 1, "b": None, "c": "x"}])
        command.print_text("a text\n")

    monkeypatch.setattr(command, "handle", handle)
    out = io.StringIO()
    command.execute(
        stdout=out, json=True, force_color=False, no_color=True, skip_checks=True, traceback=True
    )

    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"said": "a line"},
        {"said": "and another"},
        {"said": "A sentence.", "number": 1},
        {"a": 1, "b": None, "c": "x"},
        {"text": "a text\n"},
    ]


def test_a_group_has_the_streams_of_its_caller(db):
    out = io.StringIO()

    call_command("people", "roles", "--json", stdout=out)

    assert json.loads(out.getvalue().splitlines()[0])["role"] == "Viewer"
    assert isinstance(CommandGroup().stdout, OutputWrapper)


def test_refuse_without_a_cause_is_a_refusal():
    with pytest.raises(CommandError) as caught:
        refuse("No.")

    assert caught.value.returncode == 1
