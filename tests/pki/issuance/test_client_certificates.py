"""Client certificates that the server signs for tests and factories."""

import datetime
import ipaddress
import re

import pytest
from cryptography import x509

from pki.exceptions import CSRRejected
from pki.issuance.client_certificates import sign_client_csr
from pki.models import IssuedCertificate
from tests.conftest import TESTER
from tests.settings import EST_DOMAIN
from tests.support.builders import make_csr


def test_a_client_certificate_never_has_the_servers_own_name(installation):
    before = IssuedCertificate.objects.count()
    csr = make_csr("line-1", san=[x509.DNSName("line-1.example.com"), x509.DNSName(EST_DOMAIN)])

    with pytest.raises(
        CSRRejected, match=rf"{re.escape(EST_DOMAIN)}', which is this server's own name"
    ):
        sign_client_csr(csr, validity=datetime.timedelta(days=30), actor=TESTER)

    assert IssuedCertificate.objects.count() == before


def test_an_address_in_the_san_is_refused_as_what_it_is(installation):
    csr = make_csr("line-1", san=[x509.IPAddress(ipaddress.ip_address("192.0.2.1"))])

    with pytest.raises(CSRRejected, match=r"IPAddress\. Use only DNS names and URIs"):
        sign_client_csr(csr, validity=datetime.timedelta(days=30), actor=TESTER)
