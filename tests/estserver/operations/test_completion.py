"""The script that completes commands, run by bash as a person's TAB runs it."""

import subprocess

import pytest

from estserver.operations.command_list import command_names, command_shapes, option_names
from estserver.operations.shell_completion import completion_script


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("completion") / "script"
    path.write_text(completion_script("bash"))
    return path


def completed(script, *words):
    """What bash offers for the last of the words."""
    quoted = " ".join(f"'{word}'" for word in words)
    program = (
        f". '{script}'; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
        '_est_manage; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-u", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def test_bash_completes_the_names_of_commands(script):
    assert completed(script, "manage.py", "") == command_names()
    assert completed(script, "./manage.py", "denyl") == ["denylist"]
    assert completed(script, ".venv/bin/python", "manage.py", "profile_s") == [
        "profile_set",
        "profile_show",
    ]


def test_bash_completes_subcommands_options_and_choices(script):
    [group] = [shape for shape in command_shapes() if shape.name == "certificates"]
    [export] = [shape for shape in command_shapes() if shape.name == "certificates export"]

    assert completed(script, "manage.py", "certificates", "") == [*group.subcommands]
    assert completed(script, "manage.py", "certificates", "rev") == ["revoke", "revoke-many"]
    assert completed(script, "manage.py", "certificates", "export", "--") == [
        *option_names(export),
        "--help",
    ]
    assert completed(script, "manage.py", "certificates", "export", "--form", "") == ["csv", "pem"]
    assert "client-issuer" not in completed(script, "manage.py", "deny", "")
    assert {"name", "key"} <= {*completed(script, "manage.py", "deny", "")}
    assert completed(script, "manage.py", "doctor", "--lo") == ["--local"]


def test_bash_offers_nothing_where_no_command_of_ours_is_typed(script):
    assert completed(script, "python", "other.py", "den") == []
    assert completed(script, "manage.py", "no_such_command", "x") == []


def test_the_script_for_zsh_is_that_for_bash_after_zshs_own_bridge():
    bash, zsh = completion_script("bash"), completion_script("zsh")

    assert "bashcompinit" in zsh.partition("_est_manage")[0]
    assert zsh.partition("_est_manage")[2] == bash.partition("_est_manage")[2]
