"""How a package comes about: the wheels, and the Python that compiles."""

import os
import sys
from dataclasses import replace

import pytest

from estserver.config import load_config
from estserver.config.keys import Properties
from estserver.deploy.package import runtime as runtimes
from estserver.deploy.package.build import check_zappas_settings
from estserver.deploy.package.runtime import Runtime, find_python
from estserver.deploy.package.tree import lay_out
from pki.operators.errors import OperatorError
from tests.estserver.deploy.packages import ROOT, RUNTIME


@pytest.mark.parametrize(
    ("runtime", "glibc"),
    [("python3.11", (2, 26)), ("python3.12", (2, 34)), ("python3.13", (2, 34))],
)
def test_each_runtime_has_its_c_library(runtime, glibc):
    assert Runtime(runtime, "x86_64").glibc == glibc


@pytest.mark.parametrize(("architecture", "machine"), [("x86_64", "x86_64"), ("arm64", "aarch64")])
def test_wheels_are_chosen_by_the_processor_and_the_oldest_c_library_first(architecture, machine):
    platforms = Runtime("python3.13", architecture).platforms

    assert platforms[:2] == (f"manylinux2014_{machine}", f"manylinux_2_17_{machine}")
    assert all(platform.endswith(f"_{machine}") for platform in platforms)


@pytest.mark.parametrize(
    ("runtime", "newest"), [("python3.11", "2_26"), ("python3.12", "2_34"), ("python3.13", "2_34")]
)
def test_no_wheel_is_chosen_that_wants_a_newer_c_library_than_the_runtimes(runtime, newest):
    assert Runtime(runtime, "arm64").platforms[-1] == f"manylinux_{newest}_aarch64"


def test_the_running_python_compiles_for_its_own_version():
    version = sys.version_info

    found = find_python(Runtime(f"python{version[0]}.{version[1]}", "x86_64"))

    assert os.fspath(found) == sys.executable


def test_without_the_runtimes_python_nothing_is_made(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)

    with pytest.raises(OperatorError, match=r"compiled by Python 3\.99, which is not installed"):
        find_python(Runtime("python3.99", "x86_64"))


def test_a_python_beside_the_path_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    python = tmp_path / "versions" / "3.98.1" / "bin" / "python3.98"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 3 98\n")
    python.chmod(0o755)

    assert find_python(Runtime("python3.98", "x86_64")) == python
    assert runtimes._version_of(tmp_path / "nothing") is None


def test_zappa_and_the_configuration_have_to_agree():
    properties = Properties(lambda_runtime="python3.13", lambda_architecture="x86_64")

    check_zappas_settings("python3.13", "x86_64", properties)
    with pytest.raises(OperatorError, match=r"has the runtime python3\.12, and .*lambdaRuntime is"):
        check_zappas_settings("python3.12", "x86_64", properties)
    with pytest.raises(OperatorError, match=r"has the architecture arm64, and .*Architecture is"):
        check_zappas_settings("python3.13", "arm64", properties)


@pytest.mark.deploy
def test_a_class_that_doesnt_travel_is_found_before_anything_is_uploaded(tmp_path):
    config = load_config(ROOT / "config" / "config-local.yaml", environ={})
    properties = replace(
        config.properties, lambda_runtime=RUNTIME, enrollment_hook_class="our_hooks.Hook"
    )

    with pytest.raises(OperatorError, match=r"does not start. .*(?s:.*)our_hooks"):
        lay_out("est", replace(config, properties=properties), tmp_path)
