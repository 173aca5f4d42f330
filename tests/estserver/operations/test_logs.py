"""The device side's logging, set up without Django's."""

import json
import logging

import pytest

from estserver.operations import logs

CHOSEN = {
    "root": {"handlers": ["stdout"], "level": "WARNING"},
    "loggers": {"noisy.library": {"level": "ERROR"}},
}


@pytest.fixture
def root():
    """Python's own root logger, put back afterwards."""
    logger = logging.getLogger()
    handlers, level = [*logger.handlers], logger.level
    yield logger
    logger.handlers[:], logger.level = handlers, level
    logging.getLogger("noisy.library").setLevel(logging.NOTSET)


def test_one_line_of_json_is_written_for_each_record(root, capsys):
    root.addHandler(logging.StreamHandler())  # Lambda's own

    logs.configure(CHOSEN)
    logging.getLogger("ours").warning("sensor %r", "1\n2", extra={"fields": {"status": 403}})

    captured = capsys.readouterr()
    (line,) = captured.out.splitlines()
    written = json.loads(line)
    assert written["message"] == "sensor '1\\n2'"
    assert written["status"] == 403
    assert captured.err == ""


def test_levels_are_those_that_were_chosen(root, capsys):
    logs.configure(CHOSEN)

    logging.getLogger("ours").info("left out")
    logging.getLogger("noisy.library").warning("left out")
    logging.getLogger("noisy.library").error("written")

    assert [json.loads(line)["message"] for line in capsys.readouterr().out.splitlines()] == [
        "written"
    ]


def test_a_handler_of_somebody_else_formats_its_lines(root, capsys):
    logs.configure(CHOSEN)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("[%(process)d] [%(thread)d] %(message)s"))  # gunicorn's
    root.addHandler(handler)

    logging.getLogger("ours").warning("said")

    assert capsys.readouterr().err.endswith("] said\n")
