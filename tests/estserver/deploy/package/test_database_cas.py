"""What a function verifies a database by travels with its package."""

import subprocess
import sys

import pytest

from estserver.postgresql.tls import RDS_CA_BUNDLE

pytestmark = pytest.mark.deploy

ASK = """
from estserver.postgresql.tls import tls_options
for host in ("db.cluster-abc.eu-central-1.rds.amazonaws.com", "db.example.com"):
    print(tls_options(host, {})["sslrootcert"])
"""


def test_T70_the_cas_of_rds_and_the_public_ones_are_in_the_package(package):
    asked = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = [{str(package)!r}]{ASK}"],
        capture_output=True,
        text=True,
        check=True,
    )

    ours, public = asked.stdout.splitlines()
    assert ours == str(package / "estserver" / "postgresql" / RDS_CA_BUNDLE.name)
    assert public == str(package / "botocore" / "cacert.pem")
    assert (package / "estserver" / "postgresql" / RDS_CA_BUNDLE.name).read_bytes() == (
        RDS_CA_BUNDLE.read_bytes()
    )
