"""The PKIs outside that signers talk to: a private CA, and a second instance of this project."""

import base64
from dataclasses import dataclass, replace

import pytest
from cryptography import x509

from pki.authorities.bootstrap import bootstrap_cas
from pki.aws.clients import forget_clients
from pki.conf import DeviceCASettings
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.interop.server import Installation, RunningServer
from tests.support.builders import make_ca
from tests.support.est_client import ESTClient
from tests.support.private_ca import PrivateCA

PRIVATE_CA = "pki.signers.privateca.PrivateCASigner"
EST = "pki.signers.est.ESTSigner"


def use_signer(settings, alias, backend, options):
    """Configure a signer beside the default one."""
    settings.PKI = replace(
        settings.PKI,
        signers={
            "keyfile": {"BACKEND": "pki.signers.keyfile.KeyFileSigner", "OPTIONS": {}},
            alias: {"BACKEND": backend, "OPTIONS": dict(options)},
        },
    )
    get_signer.cache_clear()


@pytest.fixture
def bootstrapped(db, data_dir, settings):
    """An installation whose device CA is the signer's own; returns an EST client of it."""

    def bootstrap(alias, backend, options):
        use_signer(settings, alias, backend, options)
        plan = DeviceCASettings(signer=alias, generate_certificate=False)
        settings.PKI = replace(settings.PKI, device_ca=plan)
        bootstrap_cas(actor=TESTER)
        return ESTClient.from_files(data_dir / "test-client.pem")

    return bootstrap


@pytest.fixture
def private_ca(monkeypatch):
    """A private CA with a root above it, where boto3 looks for AWS's."""
    root = make_ca("Their root")
    server = PrivateCA(make_ca("Their private CA", issuer=root), chain=[root.certificate])
    monkeypatch.setenv("AWS_ENDPOINT_URL_ACM_PCA", server.url)
    forget_clients()
    yield server
    server.stop()
    forget_clients()


@dataclass(frozen=True)
class Upstream:
    """A running second instance, in which our test client is known as a registration authority."""

    installation: Installation
    device_ca: x509.Certificate
    """The certificate of the CA that it issues from."""

    @property
    def options(self):
        """OPTIONS for a signer that enrolls there."""
        certificate, key = self.installation.test_client
        return {
            "url": f"https://localhost:{self.installation.port}",
            "trustAnchor": str(self.installation.server_ca),
            "clientCertificate": str(certificate),
            "clientKey": str(key),
        }

    def certificates_of(self, common_name):
        """The certificates on record there for a name, oldest first."""
        recorded = self.installation.ask(f"""
            import base64
            from pki.models import IssuedCertificate
            rows = IssuedCertificate.objects.filter(common_name={common_name!r}).exclude(der=None)
            answer = [base64.b64encode(row.der).decode() for row in rows.order_by("created_at")]
        """)
        return [x509.load_der_x509_certificate(base64.b64decode(one)) for one in recorded]


@pytest.fixture(scope="session")
def upstream(tmp_path_factory):
    """The second instance; its certificates are valid for 29 days."""
    installation = Installation.at(tmp_path_factory.mktemp("upstream"))
    installation.quickstart()
    pem = installation.ask("""
        from pki.record.audit_trail import Actor
        from pki.models import CertificateProfile
        from pki.record.profile_versions import change_profile
        from pki.record.transactions import in_write_transaction
        profile = CertificateProfile.objects.get(active_label="")
        terms = {"validity_days": 29, "san_rule": "own-name"}
        actor = Actor("test")
        changed = in_write_transaction(
            lambda: change_profile(profile, terms, actor=actor, reason="test")
        )
        answer = changed.ca.pem
    """)
    running = RunningServer(installation)
    yield Upstream(installation, x509.load_pem_x509_certificate(pem.encode()))
    assert running.stop() == 0, running.log.read_text()
