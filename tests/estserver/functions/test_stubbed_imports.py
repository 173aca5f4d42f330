"""Modules that are left out while a function starts."""

import subprocess
import sys
from importlib import import_module

import pytest

from estserver.config import PROJECT_ROOT
from estserver.functions.stubbed_imports import NotLoaded, stub_imports


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Two packages: ``whole`` imports from ``heavy``, as Django's core does from its forms."""
    (tmp_path / "heavy").mkdir()
    (tmp_path / "heavy" / "__init__.py").write_text("VALUE = 1\ndef use(): return VALUE\n")
    (tmp_path / "heavy" / "deep.py").write_text("class Thing: pass\n")
    (tmp_path / "whole.py").write_text(
        "import heavy.deep\n"
        "from heavy import use\n"
        "from heavy.deep import Thing, Problem\n"
        "class Mine(Thing): pass\n"
        "def careful():\n"
        "    try:\n"
        "        return 'fine'\n"
        "    except Problem:\n"
        "        return 'problem'\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken.py").write_text("import heavy, nowhere_at_all\n")
    yield
    for name in ("whole", "heavy", "heavy.deep"):
        sys.modules.pop(name, None)


def test_what_imports_from_a_module_that_is_left_out_works(library):
    with stub_imports("heavy"):
        whole = import_module("whole")

    assert whole.careful() == "fine"
    assert issubclass(whole.Mine, whole.Thing)


def test_calling_what_was_left_out_says_where_to_look(library):
    with stub_imports("heavy"):
        whole = import_module("whole")

    for call in (whole.use, whole.Thing, whole.Mine):
        with pytest.raises(NotLoaded, match=r"is a stub on the device side"):
            call()
    with pytest.raises(NotLoaded, match=r"heavy\.deep\.Thing"):
        whole.Thing()


def test_afterwards_it_is_imported_for_real(library):
    with stub_imports("heavy"):
        import_module("whole")
    assert "heavy" not in sys.modules

    assert import_module("heavy").use() == 1
    assert import_module("heavy.deep").Thing()


def test_what_was_loaded_before_stays(library):
    heavy = import_module("heavy")

    with stub_imports("heavy"):
        assert import_module("heavy") is heavy
    assert import_module("heavy") is heavy


def test_a_module_is_left_out_of_its_package_alone(library):
    with stub_imports("heavy.deep"):
        whole = import_module("whole")

    assert whole.use() == 1
    assert not hasattr(sys.modules["heavy"], "deep")


def test_a_name_is_one_and_the_same_class(library):
    with stub_imports("heavy"):
        from heavy.deep import Thing as First
        from heavy.deep import Thing as Second

    assert First is Second


def test_an_import_that_fails_leaves_nothing_behind(library):
    finders = [*sys.meta_path]

    with pytest.raises(ModuleNotFoundError, match="nowhere_at_all"), stub_imports("heavy"):
        import_module("broken")

    assert sys.meta_path == finders
    assert "heavy" not in sys.modules


HOOK = """
import estserver.lambda_est
from django.core.mail import EmailMessage
from django.template import Context, Engine
text = Engine().from_string("{{ name|upper }} is new").render(Context({"name": "sensor-1"}))
print(EmailMessage(text, text, to=["a@example.com"]).message()["Subject"])
"""


def test_a_hook_on_the_device_side_may_render_and_mail(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HOOK],
        cwd=PROJECT_ROOT,
        env={"EST_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "SENSOR-1 is new\n"
