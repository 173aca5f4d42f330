"""The words that configuration, profiles and rules share, and that databases and files hold."""

import subprocess
import sys

from pki import choices
from pki.csr.key_algorithms import CA_KEY_ALGORITHMS, KEY_ALGORITHMS
from pki.models import CertificateProfile

VALUES = {
    choices.IdentityRule: ["first-use", "same-cn", "pattern", "allow-list", "any"],
    choices.SANRule: ["none", "own-name", "any"],
    choices.SANExcess: ["drop", "refuse"],
    choices.POPLinking: ["ignore", "refuse"],
    choices.IoTProvisioning: ["jitp", "register", "none"],
}
FIELDS = {
    "identity_rule": choices.IdentityRule,
    "san_rule": choices.SANRule,
    "san_excess": choices.SANExcess,
    "pop_linking": choices.POPLinking,
    "iot_provisioning": choices.IoTProvisioning,
}


def test_the_values_on_record_stay_as_they_are():
    assert {kind: list(kind) for kind in VALUES} == VALUES
    assert KEY_ALGORITHMS == ("ec-p256", "ec-p384", "ec-p521", "rsa-2048", "rsa-3072", "rsa-4096")
    assert CA_KEY_ALGORITHMS == ("ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096")


def test_a_profile_takes_these_and_shows_their_labels():
    for name, kind in FIELDS.items():
        assert CertificateProfile._meta.get_field(name).flatchoices == kind.pairs()
    profile = CertificateProfile(identity_rule="same-cn")
    assert profile.get_identity_rule_display() == choices.IdentityRule.SAME_CN.label


def test_the_configuration_has_them_without_loading_django():
    program = "import sys; import estserver.config.types; print('django' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"
