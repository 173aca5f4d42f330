"""Who calls, in these tests."""

import datetime

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki.authorities.import_ca import import_authority
from pki.issuance.client_certificates import sign_client_csr
from pki.models import CertificateAuthority, CertificateProfile
from pki.record.audit_trail import Actor
from pki.record.profile_lockouts import EVERY_SETTING
from pki.record.profile_versions import add_profile, change_profile
from pki.record.transactions import in_write_transaction
from tests.support.builders import make_csr, make_key

TESTER = Actor("test")


@pytest.fixture
def make_client_certificate(installation):
    """A client certificate of our client CA, by common name."""

    def make(common_name):
        csr = make_csr(common_name, key=make_key("ec-p256", 999))
        row = sign_client_csr(csr, validity=datetime.timedelta(days=30), actor=TESTER)
        return row.to_x509()

    return make


@pytest.fixture
def trust(installation):
    """Put a CA that was built in the test into the truststore."""

    def add(ca, name="outside", *, at_every_label=True):
        row = import_authority(
            CertificateAuthority.Purpose.CLIENT,
            name,
            [ca.certificate],
            key=None,
            signer="",
            actor=TESTER,
        )
        if at_every_label:
            for profile in CertificateProfile.objects.exclude(active_label=None):
                change_settings(profile, client_cas=[*profile.client_cas, name])
        return row

    return add


@pytest.fixture
def add_label(device_ca):
    """A profile of its own behind a label."""

    def add(label, **settings):
        client_cas = CertificateAuthority.objects.client().values_list("name", flat=True)
        settings = {"client_cas": list(client_cas), **settings}
        profile = CertificateProfile(name=f"for {label}", label=label, ca=device_ca, **settings)
        return in_write_transaction(lambda: add_profile(profile, actor=TESTER))

    return add


def change_settings(profile, **changes):
    """Put a new version of a profile in force."""
    return in_write_transaction(
        lambda: change_profile(
            profile, changes, actor=TESTER, reason="test", confirmed=EVERY_SETTING
        )
    )


@pytest.fixture
def forged_headers(device_ca, est_client):
    """Every way we know of to say "this is my certificate" in a header: over 200 spellings."""
    pem = est_client.certificate.public_bytes(Encoding.PEM).decode()
    values = [pem.replace("\n", "%0A"), pem.replace("\n", " ")]
    names = [
        *("X-SSL-Client-Cert", "X-SSL-Cert", "X-Client-Cert", "X-Client-Certificate"),
        *("Client-Cert", "SSL-Client-Cert", "X-Forwarded-Client-Cert", "X-ARR-ClientCert"),
        *("X-Amzn-Mtls-Clientcert", "X-Amzn-Mtls-Clientcert-Leaf", "X-SSL-Client-Verify"),
        *("X-Amzn-Mtls-Clientcert-Subject", "X-SSL-Client-S-Dn", "X-SSL-Client-Fingerprint"),
        *("X-Client-Verify", "X-Client-Subject-DN", "Remote-User", "X-Remote-User"),
        *("X-Forwarded-User", "Lambda.Event", "Apig-Wsgi.Full-Event", "Gunicorn.Socket"),
    ]
    spellings = []
    for name in names:
        for spelled in (name, name.lower(), name.upper(), name.replace("-", "_"), f"\u00a0{name}"):
            spellings += [{spelled: value} for value in values]
        spellings.append({name: values[0], name.replace("-", "_"): values[1]})
    return spellings
