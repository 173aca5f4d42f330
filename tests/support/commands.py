"""Management commands as an operator types them."""

import io
import json

import pytest
from django.core.management import CommandError, call_command


def run(*words):
    """Run a command, and return what it prints."""
    out = io.StringIO()
    call_command(*map(str, words), stdout=out)
    return out.getvalue()


def rows(*words):
    """Run a command with --json, and return its objects."""
    return [json.loads(line) for line in run(*words, "--json").splitlines()]


def refused(*words):
    """Run a command that refuses, and return its sentence and its exit code."""
    with pytest.raises(CommandError) as caught:
        run(*words)
    return str(caught.value), caught.value.returncode
