"""Calls of this process are recorded, so that they can be judged."""

import pytest
from botocore.client import BaseClient

from tests.estserver.deploy.iam import recorder


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """Record this process's calls; returns a function that names who makes the next ones."""
    monkeypatch.setenv(recorder.FILE, str(tmp_path / "calls.jsonl"))
    undo = recorder.wrap(BaseClient)
    yield lambda principal: monkeypatch.setenv(recorder.PRINCIPAL, principal)
    undo()
