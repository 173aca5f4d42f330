"""Where devices reach the installation, for the commands that people copy."""

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from estserver.config import ConfigError, load_config
from estserver.local_server.server_certificate import ensure_server_certificate
from estserver.operations.est_address import ESTAddress, est_address
from tests.support.builders import make_ca, make_certificate


@pytest.fixture
def own(settings, data_dir):
    """A server of one's own that has made its certificate, at a configured address."""
    settings.EST_DOMAIN_NAMES = frozenset()
    settings.EST_ADDRESS = "est.example.org:9443"
    ensure_server_certificate(data_dir, names=("est.example.org",))
    return data_dir


def test_the_configured_address_is_the_one_that_commands_name(own):
    address = est_address()

    assert address == ESTAddress("est.example.org", 9443, own / "server-ca.pem")
    assert address.url("cameras") == "https://est.example.org:9443/.well-known/est/cameras"


def test_an_address_without_port_is_that_of_https(own, settings):
    settings.EST_ADDRESS = "est.example.org"

    assert est_address().url() == "https://est.example.org/.well-known/est"


def test_a_certificate_of_another_ca_is_verified_by_the_machines_own_cas(own):
    other = make_certificate(make_ca("Corporate"), "est.example.org")
    (own / "server.pem").write_bytes(other.public_bytes(Encoding.PEM))

    assert est_address().anchor is None


def test_a_port_that_is_named_is_of_this_machine(own):
    assert est_address(port=8443) == ESTAddress("localhost", 8443, own / "server-ca.pem")


@pytest.mark.parametrize("value", ["https://est.example.org", "est.example.org/", "a:b", "a:0"])
def test_an_address_is_a_host_with_or_without_port(tmp_path, value):
    file = tmp_path / "config.yaml"
    file.write_text(f'Properties:\n  estAddress: "{value}"\n')

    with pytest.raises(ConfigError, match=r"estAddress.*a host name, with a port if it is not 443"):
        load_config(file)
