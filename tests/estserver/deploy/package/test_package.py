"""What is in the zip that Zappa uploads, and that Lambda can load it."""

import struct
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.markers import Marker

from estserver.config import load_config
from estserver.deploy.package.libraries import stage_locks
from estserver.deploy.package.runtime import Runtime
from estserver.deploy.package.zip import LIMIT, check_package
from pki.operators.errors import OperatorError
from tests.estserver.deploy.package.locks import read_locks
from tests.estserver.deploy.package.shared_objects import is_shared_object, needs
from tests.estserver.deploy.packages import PASSWORD, ROOT, RUNTIME

pytestmark = pytest.mark.deploy

UNCHECKED_HASH = 1


def test_no_extension_module_needs_a_newer_c_library_than_the_runtimes(package):
    modules = [needs(path) for path in package.root.rglob("*.so*") if is_shared_object(path)]

    assert len(modules) > 3
    assert max(glibc for _, glibc in modules) <= Runtime(RUNTIME, "x86_64").glibc
    assert {architecture for architecture, _ in modules} == {"x86_64"}


def test_an_interpreter_built_for_this_machine_alone_is_seen_to_need_its_c_library():
    architecture, glibc = needs(Path(sys.executable).resolve())

    assert (architecture, glibc > (2, 26)) == ("x86_64", True)


def test_all_byte_code_is_taken_as_it_is(package):
    compiled = list(package.root.rglob("*.pyc"))

    assert len(compiled) > 1000
    for path in compiled:
        assert struct.unpack_from("<4xI", path.read_bytes()) == (UNCHECKED_HASH,), path


def test_every_module_below_the_top_is_compiled(package):
    modules = [path for path in package.root.rglob("*.py") if path.parent != package.root]

    missing = [
        path
        for path in modules
        if not (
            path.parent / "__pycache__" / f"{path.stem}.{sys.implementation.cache_tag}.pyc"
        ).exists()
    ]
    assert missing == []


def test_no_tests_and_no_tools_are_packaged(package):
    names = {path.name.partition("-")[0] for path in package.root.iterdir()}

    assert not names & {
        *("tests", "bench", "demo", "pytest", "moto", "mypy", "ruff", "coverage", "hypothesis"),
        *("pip", "setuptools", "wheel", "troposphere", "requests", "pydantic", "yaml", "gunicorn"),
    }
    assert not [path for path in package.root.rglob("tests") if path.is_dir()]


def test_the_package_holds_what_the_lock_says_and_nothing_else(package):
    python = {"python_full_version": sys.version.split()[0]}
    wanted = {
        f"{name.replace('-', '_')}=={each.version}"
        for name, each in read_locks(stage_locks(package.root.name)).items()
        if not each.marker or Marker(each.marker).evaluate(python)
    }

    found = {
        path.name.removesuffix(".dist-info").lower().replace("-", "==")
        for path in package.root.glob("*.dist-info")
    }
    assert found == wanted


def test_the_package_is_small_enough_and_lists_its_parts(package):
    assert package.package.unzipped < LIMIT
    sizes = [part.size for part in package.package.parts]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == sum(
        path.stat().st_size for path in package.root.rglob("*") if path.is_file()
    )


def test_T23_no_password_and_no_configuration_file_travels(package):
    assert not list(package.root.rglob("*.yaml"))
    for path in package.root.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_the_device_side_carries_no_command_line_of_zappas(est_package):
    assert not (est_package.root / "zappa").exists()
    assert not (est_package.root / "estserver" / "deploy").exists()


def test_the_admins_static_files_are_there_under_hashed_names(admin_package):
    static = admin_package.root / "staticfiles"

    assert (static / "staticfiles.json").exists()
    assert list(static.glob("estserver/admin.*.css.gz"))


def test_the_same_inputs_give_the_same_entries_without_times(package):
    with zipfile.ZipFile(package.package.path) as archive:
        entries = [e for e in archive.infolist() if e.filename.startswith("django/")]

    assert entries == sorted(entries, key=lambda entry: Path(entry.filename))
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}


# What is refused before it is uploaded


@pytest.fixture
def config():
    loaded = load_config(ROOT / "config" / "config-local.yaml", environ={})
    return replace(loaded, properties=replace(loaded.properties, lambda_runtime="python3.11"))


@pytest.fixture
def zip_of(tmp_path):
    def make(name, data):
        path = tmp_path / "package.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(name, data)
        return path

    return make


@pytest.mark.parametrize("tag", ["cpython-312-x86_64", "cpython-311-aarch64"])
def test_an_extension_module_for_another_python_or_processor_is_refused(zip_of, config, tag):
    name = f"hooks/thing.{tag}-linux-gnu.so"

    with pytest.raises(OperatorError, match=f"{name} cannot be loaded by python3.11 on x86_64"):
        check_package(zip_of(name, b""), config)


@pytest.mark.parametrize("name", ["thing.cpython-311-x86_64-linux-gnu.so", "thing.abi3.so"])
def test_an_extension_module_for_the_runtime_is_taken(zip_of, config, name):
    check_package(zip_of(f"hooks/{name}", b""), config)


def test_byte_code_with_a_time_is_refused(zip_of, config):
    header = struct.pack("<4sIII", b"\xa7\r\r\n", 0, 1_700_000_000, 10)

    with pytest.raises(OperatorError, match="would be found stale"):
        check_package(zip_of("package/__pycache__/m.cpython-311.pyc", header), config)


def test_a_module_that_isnt_compiled_is_refused(zip_of, config):
    with pytest.raises(OperatorError, match=r"package/m\.py is not compiled"):
        check_package(zip_of("package/m.py", b""), config)


def test_a_tool_in_the_package_is_refused(zip_of, config):
    with pytest.raises(OperatorError, match="moto is in the package"):
        check_package(zip_of("moto/data.json", b""), config)
