"""What every test may ask for: an installation with its CAs, and an EST client to talk to it."""

from dataclasses import replace

import pytest

from estserver.operations import health
from pki.authorities.bootstrap import bootstrap_cas
from pki.models import CertificateAuthority, CertificateProfile
from pki.record import audit_trail, snapshot
from pki.record.audit_trail import Actor
from pki.record.profile_versions import change_profile
from pki.record.transactions import in_write_transaction
from pki.signers import get_signer
from tests.support.aws import aws_cloud, moto_server
from tests.support.est_client import ESTClient

__all__ = ["aws_cloud", "moto_server"]

TESTER = Actor("test")


@pytest.fixture(autouse=True)
def _fresh_process_state():
    """What a process remembers must not outlive the database it was read from."""
    yield
    snapshot.forget()
    audit_trail.start_new_chain()
    get_signer.cache_clear()
    health.forget()


@pytest.fixture
def data_dir(tmp_path, settings):
    """A data directory of this test's own."""
    settings.PKI = replace(settings.PKI, data_dir=tmp_path)
    settings.EST_DATA_DIR = tmp_path
    return tmp_path


@pytest.fixture
def installation(db, data_dir):
    """CAs, default profile and test client, as `bootstrap_cas` makes them."""
    bootstrap_cas(actor=TESTER)
    return data_dir


@pytest.fixture
def device_ca(installation):
    """The device CA's row."""
    return CertificateAuthority.objects.device().get()


@pytest.fixture
def client_ca(installation):
    """The client CA's row."""
    return CertificateAuthority.objects.client().get()


@pytest.fixture
def change_default_profile(installation):
    """Put a new version of the default profile in force, with what is given by keyword."""

    def change(**changes):
        profile = CertificateProfile.objects.get(active_label="")
        return in_write_transaction(
            lambda: change_profile(profile, changes, actor=TESTER, reason="test")
        )

    return change


@pytest.fixture
def est_client(installation):
    """An EST client behind API Gateway, with the test client certificate."""
    return ESTClient.from_files(installation / "test-client.pem")


@pytest.fixture
def stranger(installation):
    """An EST client without a certificate."""
    return ESTClient()
