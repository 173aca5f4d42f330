"""The state machine's tests run on real transactions, from many threads."""

import pytest
from django.conf import settings as django_settings

from pki.signers import get_signer
from tests.conftest import TESTER
from tests.pki.state.door import Device, est_side
from tests.pki.state.signers import TestSigner, use_test_signer
from tests.support.installed import install

if "sqlite" in django_settings.DATABASES["default"]["ENGINE"]:
    # tests/test_on_postgresql.py runs this whole directory on PostgreSQL, these included.
    collect_ignore = ["test_postgresql_only.py", "test_statements_together.py"]


@pytest.fixture
def signer(settings, monkeypatch):
    """The signer of every CA, whose `before` and `after` a test may replace."""
    use_test_signer(settings)
    get_signer.cache_clear()
    monkeypatch.setattr(TestSigner, "signed", [])
    return TestSigner


@pytest.fixture
def device(transactional_db, signer, data_dir, tmp_path_factory):
    """An EST client with the test client certificate, on a database that commits."""
    install(TESTER, tmp_path_factory.getbasetemp())
    signer.signed.clear()  # the test client's
    with est_side():
        yield Device.from_files(data_dir / "test-client.pem")
