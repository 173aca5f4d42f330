"""A package's modules in one file: written, and imported from."""

import compileall
import importlib.resources
import marshal
import sys
from importlib import import_module
from pathlib import Path

import pytest

from estserver.deploy.package.bundle import write_bundle
from estserver.functions.bundled import FILE_NAME, BundleFinder, use_bundle

PYTHON = sys.version_info[:2]
NAMES = ["bundled_library", "bundled_library.inner", "json"]


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package as Lambda has it, with byte code, and on the path of this process."""
    library = tmp_path / "bundled_library"
    library.mkdir()
    (library / "__init__.py").write_text("from bundled_library import inner, other\n")
    (library / "inner.py").write_text("VALUE = 1\n\n\ndef fail():\n    raise ValueError('no')\n")
    (library / "other.py").write_text("VALUE = 2\n")
    (library / "data.txt").write_text("beside it")
    compileall.compile_dir(tmp_path, quiet=1)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    yield tmp_path
    for name in [*sys.modules]:
        if name.partition(".")[0] == "bundled_library":
            del sys.modules[name]


def is_from_bundle(module):
    return type(module.__loader__).__module__ == "estserver.functions.bundled"


def test_what_is_in_it_is_imported_from_it_and_the_rest_as_ever(package):
    write_bundle(package, NAMES, PYTHON)
    for compiled in package.rglob("inner.*.pyc"):
        compiled.unlink()  # nothing is left but the bundle
    (package / "bundled_library" / "inner.py").write_text("VALUE = 'read from the file'\n")

    use_bundle(package)
    library = import_module("bundled_library")

    assert library.inner.VALUE == 1
    assert is_from_bundle(library)
    assert is_from_bundle(library.inner)
    assert library.other.VALUE == 2
    assert not is_from_bundle(library.other)


def test_modules_know_their_files_as_ever(package):
    write_bundle(package, NAMES, PYTHON)
    use_bundle(package)

    library = import_module("bundled_library")

    assert Path(library.__file__) == package / "bundled_library" / "__init__.py"
    assert library.__path__ == [str(package / "bundled_library")]
    assert Path(library.inner.__file__) == package / "bundled_library" / "inner.py"
    assert importlib.resources.files(library).joinpath("data.txt").read_text() == "beside it"
    with pytest.raises(ValueError, match="no") as raised:
        library.inner.fail()
    assert raised.traceback[-1].path == package / "bundled_library" / "inner.py"


def test_pythons_own_modules_stay_where_they_are(package):
    write_bundle(package, NAMES, PYTHON)
    index = marshal.loads((package / FILE_NAME).read_bytes())

    assert set(index) == {"bundled_library", "bundled_library.inner"}


def test_without_a_bundle_nothing_changes(package):
    use_bundle(package)

    assert not any(isinstance(finder, BundleFinder) for finder in sys.meta_path)
    assert import_module("bundled_library").inner.VALUE == 1


def test_the_same_package_gives_the_same_bundle(package):
    write_bundle(package, NAMES, PYTHON)
    first = (package / FILE_NAME).read_bytes()

    write_bundle(package, reversed(NAMES), PYTHON)

    assert (package / FILE_NAME).read_bytes() == first
