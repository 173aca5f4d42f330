"""A configuration, an empty account, a clock that costs no time; both packages, made once."""

import pytest

from estserver.config import load_config
from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.runs import carry_out
from estserver.deploy.front_door.domain import CustomDomain
from estserver.deploy.recipe import function_role
from estserver.deploy.resources.buckets.deployment_buckets import buckets
from estserver.deploy.truststore.pushes import record_first_activation
from estserver.deploy.truststore.steps import FirstTruststore
from pki.authorities.import_ca import import_authority
from pki.aws.clients import forget_clients
from pki.models import CertificateAuthority
from tests.estserver.deploy import moto_database, moto_gaps, moto_lambda
from tests.estserver.deploy.account import (
    ACCOUNT,
    ACM,
    CONFIG,
    DOMAIN,
    REGION,
    TESTER,
    FakeClock,
    Recorder,
    zappa_deploy,
)
from tests.estserver.deploy.packages import unpacked_package
from tests.iotprov.aws_edge import let_iam_know_managed_policies
from tests.support.builders import make_ca

moto_database.fill()
moto_gaps.fill()
moto_lambda.fill()


@pytest.fixture(scope="module", autouse=True)
def _clients():
    """A module's tests share their clients: making one takes longer than most of its calls."""
    forget_clients()
    yield
    forget_clients()


@pytest.fixture
def aws_cloud(moto_server, monkeypatch):
    """An empty account; the clients of the test before it stay."""
    let_iam_know_managed_policies(monkeypatch)
    moto_server.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server.url)
    moto_gaps.issue_certificate(f"{ACM}/est", DOMAIN)
    moto_gaps.issue_certificate(f"{ACM}/admin", "admin.example.com")
    return moto_server


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def said():
    return Recorder()


@pytest.fixture
def performer(said, clock):
    return Performer(said, clock)


@pytest.fixture
def configured(tmp_path, settings):
    """A Deployment of a config.yaml; commands see the same one."""

    def configure(text=CONFIG):
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        settings.CONFIG = load_config(path, environ={"EST_DATA_DIR": str(tmp_path / "var")})
        return Deployment(settings.CONFIG, ACCOUNT, REGION)

    return configure


@pytest.fixture
def deployment(aws_cloud, configured):
    """The usual one, in an empty account."""
    return configured()


@pytest.fixture
def bring(performer):
    """Carry steps out; returns the names of those that changed something."""
    return lambda *steps: list(carry_out(steps, performer).changed)


@pytest.fixture
def live(bring):
    """Deploy a stage as Zappa does, with its role; returns the API's id."""

    def deploy(deployment, stage):
        bring(function_role(deployment, stage))
        return zappa_deploy(deployment, stage)

    return deploy


@pytest.fixture
def guarded(deployment, installation, live, bring):
    """A domain with mutual TLS as `zappa deploy` leaves it; the admin's function is deployed."""
    live(deployment, "admin")
    bring(
        *buckets(deployment),
        FirstTruststore(deployment),
        CustomDomain(deployment, deployment.domains[0]),
    )
    record_first_activation(deployment, actor=TESTER)
    return deployment


@pytest.fixture
def new_ca(guarded):
    """A client CA that isn't in the truststore yet."""
    ca = make_ca("new client CA")
    client = CertificateAuthority.Purpose.CLIENT
    import_authority(client, "new-client", [ca.certificate], key=None, signer="", actor=TESTER)
    return ca


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
