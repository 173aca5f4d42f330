"""Packages for each of Lambda's Pythons that is on this machine, and for both processors.

Every run makes those for the newest, which needn't be the Python that runs Zappa; `make proof`
makes them all. A test's id says what was found here.
"""

import base64
import subprocess
from typing import get_args

import pytest
from cryptography.hazmat.primitives.serialization import pkcs7

from bench.load import make_csr
from estserver.config.types import LambdaRuntime
from estserver.deploy.package.runtime import Runtime, find_python
from pki.operators.errors import OperatorError
from tests.estserver.deploy.functions import admin_answers, first_answer, get
from tests.estserver.deploy.package.shared_objects import is_shared_object, needs
from tests.estserver.deploy.packages import OWN, RUNTIME, unpacked_package
from tests.interop.server import Installation


def _is_here(name):
    try:
        find_python(Runtime(name, "x86_64"))
    except OperatorError:
        return False
    return True


HERE = [name for name in get_args(LambdaRuntime) if _is_here(name)]
FOR_X86 = [Runtime(name, "x86_64") for name in HERE]
FOR_ARM = [Runtime(name, "arm64") for name in HERE if name != "python3.11"]


def _each(runtimes, *stages):
    """Parameters: each runtime and stage; ``proof``, unless it is the newest's device side."""
    return [
        pytest.param(
            *(runtime, stage),
            id=f"{runtime.name}-{runtime.architecture}-{stage}",
            marks=pytest.mark.deploy
            if (runtime.name, stage) == (HERE[-1], "est")
            else pytest.mark.proof,
        )
        for runtime in runtimes
        for stage in stages
    ]


@pytest.fixture(scope="module")
def packaged(tmp_path_factory, request):
    """Return a function that returns the unpacked package for a runtime and stage.

    Each package is made once. The other modules have those of this Python already.
    """
    made = {}

    def get_package(runtime, stage):
        if runtime == OWN:
            return request.getfixturevalue(f"{stage}_package")
        key = (runtime, stage)
        if key not in made:
            directory = tmp_path_factory.mktemp(f"{runtime.name}-{runtime.architecture}-{stage}")
            made[key] = unpacked_package(stage, directory, runtime)
        return made[key]

    return get_package


def test_our_own_python_is_found_among_lambdas():
    assert RUNTIME in HERE


@pytest.mark.parametrize(("runtime", "stage"), _each(FOR_X86 + FOR_ARM, "est", "admin"))
def test_all_that_is_compiled_is_for_the_runtime_and_its_processor(runtime, stage, packaged):
    package = packaged(runtime, stage)
    magic = _magic_number(package.python)

    extensions = [path for path in package.root.rglob("*.so*") if is_shared_object(path)]
    byte_code = list(package.root.rglob("*.pyc"))

    assert len(extensions) > 10
    assert len(byte_code) > 1000
    for path in extensions:
        architecture, glibc = needs(path)
        assert (architecture, path) == (runtime.architecture, path)
        assert glibc <= runtime.glibc, path
        if ".cpython-" in path.name:
            tag = "".join(map(str, runtime.python))
            assert path.name.endswith(f".cpython-{tag}-{runtime.machine}-linux-gnu.so"), path
    for path in byte_code:
        assert (path.read_bytes()[:4], path) == (magic, path)


@pytest.mark.parametrize(("runtime", "stage"), _each(FOR_X86, "est"))
def test_a_first_enrollment_is_answered_with_a_certificate(runtime, stage, packaged, tmp_path):
    (data_dir := tmp_path / "data").mkdir()
    installation = Installation.at(data_dir)
    installation.quickstart()
    csr = make_csr("packaged-1", "p256").decode()

    answer = first_answer(packaged(runtime, stage), installation, tmp_path, "simpleenroll", csr)

    assert answer["status"] == 200, answer["body"]
    (certificate,) = pkcs7.load_der_pkcs7_certificates(base64.b64decode(answer["body"]))
    assert certificate.subject.rfc4514_string() == "CN=packaged-1"


@pytest.mark.parametrize(("runtime", "stage"), _each(FOR_X86, "admin"))
def test_the_admin_shows_its_login(runtime, stage, packaged, tmp_path):
    migrate = {"est_command": ["migrate", "--no-input"]}

    migrated, login = admin_answers(
        packaged(runtime, stage), tmp_path, [migrate, get("/admin/login/")]
    )

    assert migrated["exit_code"] == 0, migrated
    assert login["statusCode"] == 200
    assert "Log in" in login["body"]


@pytest.mark.deploy
@pytest.mark.skipif("python3.11" not in HERE, reason="Python 3.11 isn't installed here")
def test_arm64_is_refused_where_the_c_library_is_too_old_for_its_wheels(tmp_path):
    with pytest.raises(OperatorError, match=r"for python3\.11 on arm64 \(GLIBC 2\.26\)"):
        unpacked_package("est", tmp_path, Runtime("python3.11", "arm64"))


def _magic_number(python):
    program = "import sys, importlib.util; sys.stdout.buffer.write(importlib.util.MAGIC_NUMBER)"
    return subprocess.run(
        [python, "-I", "-S", "-c", program], capture_output=True, check=True
    ).stdout
