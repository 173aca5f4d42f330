"""The CSRs and client certificates of this folder, sent to simpleenroll."""

import re
from dataclasses import dataclass

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.authorities.import_ca import import_authority
from pki.authorities.pem_files import read_certificates
from pki.models import CertificateAuthority
from tests.cases.table import FOLDER, WHAT, check_row
from tests.conftest import TESTER
from tests.support.builders import make_csr
from tests.support.est_client import ESTClient

ISSUED = "enrolls: "
MALFORMED = "400 csr-malformed: "

CSRS = {
    "csr-ecdsa-null.der": ISSUED,
    "csr-printable-underscore.der": f"{ISSUED}CN `MP_kit_01` as UTF8String",
    "csr-printable-bang.der": ISSUED,
    "csr-critical-false.der": ISSUED,
    "csr-no-attributes.der": f"{MALFORMED}.*attributes",
    "csr-version-1.der": f"{MALFORMED}.*version",
    "csr-rdn-unsorted.der": "400 subject-not-allowed: .*joins 2 attributes",
    "csr-attributes-unsorted.der": f"{MALFORMED}.*attributes.*(sorted|order)",
    "csr-extreq-empty-set.der": f"{MALFORMED}.*extensionRequest.*empty",
    "csr-san-of-est-host.der": f"{ISSUED}.*no SAN",
    "csr-san-ip.der": f"{ISSUED}.*no SAN",
}
"""What the result begins with or says, by file."""

CLIENTS = (
    "client-issuer-utf8.pem",
    "client-issuer-case.pem",
    "client-null.pem",
    "client-underscore.pem",
    "client-t61.pem",
    "client-critical-false.pem",
)


@dataclass(frozen=True)
class _ClientOfPEM(ESTClient):
    """A client that presents a certificate which cryptography cannot read."""

    pem: str = ""

    def _client_certificate(self):
        return {"clientCertPem": self.pem}


def result_of(response):
    """Return a response in words: what the certificate says, or the refusal."""
    if response.status_code != 200:
        text = re.sub(r" \(request [^)]*\)$", "", response.text.strip())
        return f"{response.status_code} {text}"
    certificate = response.certificate
    (name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    kind = {12: "UTF8String", 19: "PrintableString"}[_tag_of(certificate, name)]
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = ", ".join(str(one.value) for one in san.value)
    except x509.ExtensionNotFound:
        names = "no SAN"
    return f"{ISSUED}CN `{name.value}` as {kind}, {names}"


def _tag_of(certificate, name):
    """Return the tag of the name's string in the certificate's bytes."""
    value = name.value.encode()
    found = certificate.subject.public_bytes().find(bytes([len(value)]) + value)
    return certificate.subject.public_bytes()[found - 1]


@pytest.mark.parametrize("file", CSRS)
def test_a_csr(est_client, file):
    result = result_of(est_client.simpleenroll((FOLDER / file).read_bytes()))

    check_row(file, result)
    assert re.match(CSRS[file], result)


@pytest.mark.parametrize("file", [file for file in CSRS if CSRS[file].startswith(ISSUED)])
def test_the_certificate_has_nothing_odd(est_client, file):
    """Every field can be read, and the names are as the library encodes them."""
    certificate = est_client.simpleenroll((FOLDER / file).read_bytes()).certificate

    assert certificate.signature_algorithm_parameters is not None
    assert len(list(certificate.extensions)) > 0
    assert certificate.subject.public_bytes() == x509.Name(certificate.subject.rdns).public_bytes()


def test_a_body(est_client):
    file = "body-base64-of-pem.b64"
    body = (FOLDER / file).read_bytes()

    headers = {"Content-Type": "application/pkcs10"}
    response = est_client.request("POST", est_client.url("simpleenroll"), body, headers)

    check_row(file, result_of(response))
    assert response.status_code == 200


@pytest.mark.parametrize("file", CLIENTS)
def test_a_client_certificate(installation, change_default_profile, file):
    import_authority(
        CertificateAuthority.Purpose.CLIENT,
        "factory",
        read_certificates(FOLDER / "client-ca.pem"),
        key=None,
        signer="",
        actor=TESTER,
    )
    change_default_profile(client_cas=["factory"])
    client = _ClientOfPEM(pem=(FOLDER / file).read_text())

    result = result_of(client.simpleenroll(make_csr("sensor-1")))

    check_row(file, result)
    check_row("client-ca.pem", "is imported")
    assert result.startswith(ISSUED)


def test_every_file_is_in_the_table():
    kinds = {".der", ".b64", ".pem", ".txt", ".yaml", ".json"}
    files = {path.name for path in FOLDER.iterdir() if path.suffix in kinds}
    assert files == set(WHAT)
