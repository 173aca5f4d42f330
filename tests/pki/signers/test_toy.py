"""A signer of one's own takes one class and some configuration."""

import pytest

from pki.operators.errors import OperatorError
from pki.signers import get_signer
from tests.pki.signers.conftest import use_signer
from tests.pki.signers.toy import TOY, toy_options
from tests.support.builders import make_ca, make_csr


def test_its_CA_is_put_on_record_and_devices_enroll(bootstrapped, data_dir):
    ca = make_ca("Company CA")

    client = bootstrapped("toy", TOY, toy_options(data_dir / "keys", ca))
    certificate = client.simpleenroll(make_csr("sensor-1")).certificate

    certificate.verify_directly_issued_by(ca.certificate)
    assert client.cacerts().certificates == [ca.certificate]


def test_an_option_that_it_does_not_take_is_refused(settings, data_dir):
    use_signer(settings, "toy", TOY, {"caFiel": "x"})

    with pytest.raises(
        OperatorError,
        match=r"^ToySigner: OPTIONS\.caFiel: unknown; the signer takes caFile, apiArn\. Correct ",
    ):
        get_signer("toy")


@pytest.mark.parametrize("path", ["tests.pki.signers.toy.toy_options", "pathlib.Path"])
def test_what_is_no_signer_is_refused(settings, data_dir, path):
    use_signer(settings, "toy", path, {})

    with pytest.raises(OperatorError, match=r"is not a subclass of pki\.signers\.Signer"):
        get_signer("toy")
