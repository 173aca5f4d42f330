"""The packages of both stages, made once."""

import pytest

from tests.deploy.packages import unpacked_package


@pytest.fixture(scope="session")
def est_package(tmp_path_factory):
    """The package of the device side, unpacked."""
    return unpacked_package("est", tmp_path_factory.mktemp("est-package"))


@pytest.fixture(scope="session")
def admin_package(tmp_path_factory):
    """The package of the people side, unpacked."""
    return unpacked_package("admin", tmp_path_factory.mktemp("admin-package"))


@pytest.fixture(params=["est", "admin"])
def package(request):
    """Each of the two."""
    return request.getfixturevalue(f"{request.param}_package")
