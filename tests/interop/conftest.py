"""One real server for the session, and the clients that others wrote to talk to it."""

from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.interop.curl import Curl, OpenSSL
from tests.interop.server import Installation, RunningServer
from tests.support.builders import BuiltCA, make_ca
from tests.support.programs import require_program


@dataclass(frozen=True)
class Factory:
    """A CA of somebody else's: its root is in the truststore, its intermediate isn't."""

    root: BuiltCA
    intermediate: BuiltCA


@pytest.fixture(scope="session")
def factory():
    """Who made the devices, and gave them certificates to enroll with."""
    root = make_ca("Factory Root")
    return Factory(root, make_ca("Factory Intermediate", issuer=root))


@pytest.fixture(scope="session")
def installation(tmp_path_factory):
    """A data directory; `quickstart_output` fills it."""
    return Installation.at(tmp_path_factory.mktemp("installation"))


@pytest.fixture(scope="session")
def quickstart_output(installation):
    """What a person reads who types `make run`."""
    return installation.quickstart()


@pytest.fixture(scope="session")
def server(installation, quickstart_output, factory):
    """A running server that trusts its own client CA and the factory's root."""
    root_pem = factory.root.certificate.public_bytes(Encoding.PEM)
    assert installation.ask(f"""
        from cryptography import x509
        from pki.record.audit_trail import Actor
        from pki.authorities.import_ca import import_authority
        from pki.models import CertificateAuthority
        root = x509.load_pem_x509_certificate({root_pem!r})
        purpose = CertificateAuthority.Purpose.CLIENT
        ca = import_authority(purpose, "factory", [root], key=None, signer="", actor=Actor("test"))
        from pki.models import CertificateProfile
        from pki.record.profile_versions import change_profile
        from pki.record.transactions import in_write_transaction
        profile = CertificateProfile.objects.get(active_label="")
        named = [*profile.client_cas, ca.name]
        in_write_transaction(lambda: change_profile(
            profile, {{"client_cas": named}}, actor=Actor("test"), reason="test"
        ))
        answer = ca.name
    """)
    running = RunningServer(installation)
    yield installation
    code = running.stop()
    log = running.log.read_text()
    assert code == 0, log
    # Whatever clients sent here, it wasn't to end in an unexpected error.
    assert "Traceback" not in log, log


@pytest.fixture(scope="session")
def openssl():
    """The openssl program."""
    return OpenSSL(require_program("openssl", package="openssl"))


@pytest.fixture
def curl(server, openssl, tmp_path):
    """curl, pointed at the server."""
    return Curl(require_program("curl", package="curl"), server, openssl, tmp_path)


@pytest.fixture
def device_ca(curl, tmp_path):
    """A file with what cacerts gives: what a device trusts."""
    path = tmp_path / "cacerts.pem"
    path.write_text("".join(_pem(one) for one in curl.get("cacerts").certificates))
    return path


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()
