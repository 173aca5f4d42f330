"""May this client have this thing name? Each rule at the wire."""

import pytest

from pki.models import IssuedCertificate
from pki.operators.errors import OperatorError
from tests.support.builders import make_ca, make_certificate, make_csr, make_key

TWELVE = [f"sensor-{number}" for number in range(12)]


def csr_for(name):
    """A key of its own for each name, so that only the name decides."""
    return make_csr(name, key=make_key("ec-p256", 100 + TWELVE.index(name)))


@pytest.fixture
def twelve_clients(est_client, trust):
    """Clients whose factory certificates say sensor-0 to sensor-11."""
    factory = make_ca("factory")
    trust(factory)
    return {name: est_client.using(make_certificate(factory, name)) for name in TWELVE}


def granted(clients, operation):
    """Who got what, of everybody asking for everything."""
    return {
        (who, name)
        for who, client in clients.items()
        for name in TWELVE
        if getattr(client, operation)(csr_for(name)).status_code == 200
    }


DIAGONAL = {(name, name) for name in TWELVE}


def test_T12_same_cn_grants_the_diagonal_of_144(twelve_clients, change_default_profile):
    change_default_profile(identity_rule="same-cn")

    assert granted(twelve_clients, "simpleenroll") == DIAGONAL
    assert granted(twelve_clients, "simplereenroll") == DIAGONAL
    names = IssuedCertificate.objects.exclude(operation="client").values_list("common_name")
    assert set(names) == {(name,) for name in TWELVE}


def test_T12_device_certificates_have_their_own_name_even_where_any_goes(
    twelve_clients, change_default_profile
):
    devices = {
        name: client.using(client.simpleenroll(csr_for(name)).certificate)
        for name, client in twelve_clients.items()
    }
    change_default_profile(identity_rule="any")

    assert granted(devices, "simpleenroll") == DIAGONAL
    assert granted(devices, "simplereenroll") == DIAGONAL


def test_T12_first_use_binds_a_name_to_the_client_that_came_first(twelve_clients):
    first, second = twelve_clients["sensor-0"], twelve_clients["sensor-1"]
    assert first.simpleenroll(csr_for("sensor-5")).status_code == 200

    for operation in ("simpleenroll", "simplereenroll"):
        response = getattr(second, operation)(csr_for("sensor-5"))
        assert (response.status_code, response.reason) == (403, "name-bound-to-another")
    again = first.simpleenroll(make_csr("sensor-5", key=make_key("ec-p256", 200)))
    assert again.status_code == 200


def test_T12_first_use_binds_by_the_whole_certificate_not_by_its_name(est_client, trust):
    factory = make_ca("factory")
    trust(factory)
    once, twin = (make_certificate(factory, "line-1") for _ in range(2))
    assert est_client.using(once).simpleenroll(csr_for("sensor-5")).status_code == 200

    response = est_client.using(twin).simpleenroll(csr_for("sensor-5"))

    assert (response.status_code, response.reason) == (403, "name-bound-to-another")


def test_T12_T15_a_name_that_differs_only_in_case_is_taken(twelve_clients):
    client = twelve_clients["sensor-0"]
    assert client.simpleenroll(csr_for("sensor-5")).status_code == 200

    response = client.simpleenroll(make_csr("SENSOR-5", key=make_key("ec-p256", 201)))

    assert (response.status_code, response.reason) == (403, "name-bound-to-another")


def test_T12_pattern_grants_what_it_finds_in_the_clients_name(
    est_client, make_client_certificate, change_default_profile
):
    change_default_profile(
        identity_rule="pattern", identity_pattern=r"factory/(?P<name>[a-z0-9-]+)"
    )
    client = est_client.using(make_client_certificate("factory/sensor-3"))
    other = est_client.using(make_client_certificate("sensor-3"))
    longer = est_client.using(make_client_certificate("x factory/sensor-3"))

    assert client.simpleenroll(csr_for("sensor-4")).reason == "name-not-yours"
    for refused in (other, longer):
        assert refused.simpleenroll(csr_for("sensor-3")).reason == "name-not-yours"
    assert client.simpleenroll(csr_for("sensor-3")).status_code == 200


def test_a_pattern_without_a_name_in_it_is_refused_when_it_is_written(change_default_profile):
    for pattern in ("", "(", "sensor-.*", "(?P<other>.*)"):
        with pytest.raises(OperatorError, match="identity_pattern"):
            change_default_profile(identity_rule="pattern", identity_pattern=pattern)


def test_T12_allow_list_grants_what_is_listed(est_client, change_default_profile):
    change_default_profile(identity_rule="allow-list", allowed_names=["sensor-1", "sensor-2"])

    assert est_client.simpleenroll(csr_for("sensor-1")).status_code == 200
    for name in ("sensor-3", "sensor-0"):
        response = est_client.simpleenroll(csr_for(name))
        assert (response.status_code, response.reason) == (403, "name-not-yours")
    assert est_client.simpleenroll(make_csr("SENSOR-2")).reason == "name-not-yours"


def test_any_with_rebinding_grants_every_name_and_renewal_goes_with_the_name(
    twelve_clients, change_default_profile
):
    change_default_profile(identity_rule="any", can_rebind_names=True)
    first, second = twelve_clients["sensor-0"], twelve_clients["sensor-1"]
    assert first.simpleenroll(csr_for("sensor-5")).status_code == 200

    response = second.simplereenroll(csr_for("sensor-5"))
    assert (response.status_code, response.reason) == (403, "name-bound-to-another")
    assert second.simpleenroll(csr_for("sensor-5")).status_code == 200
    response = first.simplereenroll(csr_for("sensor-5"))
    assert (response.status_code, response.reason) == (403, "name-bound-to-another")
    assert second.simplereenroll(csr_for("sensor-5")).status_code == 200


def test_T10_a_key_that_another_thing_has_is_refused_unless_switched_off(
    est_client, change_default_profile
):
    key = make_key("ec-p256", 300)
    assert est_client.simpleenroll(make_csr("sensor-1", key=key)).status_code == 200

    refused = est_client.simpleenroll(make_csr("sensor-2", key=key))
    change_default_profile(is_key_unique=False)
    allowed = est_client.simpleenroll(make_csr("sensor-2", key=key))

    assert (refused.status_code, refused.reason) == (403, "key-in-use")
    assert allowed.status_code == 200
