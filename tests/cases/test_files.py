"""The CA files, configurations, templates and the policy of this folder."""

import base64
import re

import pytest
from cryptography import x509

from estserver.config import load_config
from estserver.config.errors import ConfigError
from estserver.deploy.truststore.bundle import bundle_from_file, check_bundle
from estserver.est import renderers
from estserver.local_server.server_certificate import ensure_server_certificate
from iotprov.documents.validation import problems_of
from iotprov.models import DocumentVersion
from iotprov.policy.foreign_places import foreign_places
from iotprov.template.jitp import read_file
from pki.authorities.import_ca import import_authority
from pki.authorities.pem_files import read_certificates, read_private_key
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError
from tests.cases.table import FOLDER, check_row
from tests.conftest import TESTER

Purpose = CertificateAuthority.Purpose


def result_of(do):
    """Call ``do``; return its words, or those of the error, without the path of this folder."""
    try:
        said = do()
    except (OperatorError, ConfigError) as error:
        said = f"is refused: {error}"
    return re.sub(r"\s+", " ", str(said)).replace(f"{FOLDER}/", "")


def test_a_device_ca(installation):
    file = "device-ca-mixed-string-types.pem"

    def use():
        ca = import_authority(
            Purpose.DEVICE,
            "brought",
            read_certificates(FOLDER / file),
            key=read_private_key((FOLDER / file).with_suffix(".key")),
            signer="keyfile",
            actor=TESTER,
        )
        return f"is imported as {ca.subject}"

    result = result_of(use)

    check_row(file, result)
    assert result.startswith("is imported")


@pytest.mark.parametrize(
    "file",
    [
        "truststore-mixed-string-types.pem",
        "truststore-ecdsa-null.pem",
        "truststore-printable-underscore.pem",
        "truststore-critical-false.pem",
    ],
)
def test_a_truststore(installation, file):
    def use():
        check_bundle(bundle_from_file(FOLDER / file))
        for place, certificate in enumerate(read_certificates(FOLDER / file), 1):
            import_authority(
                Purpose.CLIENT, f"{place}", [certificate], key=None, signer="", actor=TESTER
            )
        return "is imported, and a deployment takes it"

    result = result_of(use)

    check_row(file, result)
    assert result.startswith("is imported")


def test_a_server_certificate_of_the_operators_own(tmp_path):
    file = "own-server.pem"
    brought = {name: (FOLDER / name).read_bytes() for name in (file, "own-server.key")}
    (tmp_path / "server.pem").write_bytes(brought[file])
    (tmp_path / "server.key").write_bytes(brought["own-server.key"])
    certificate = x509.load_pem_x509_certificate(brought[file])

    notice = ensure_server_certificate(tmp_path).notice()

    check_row(file, f"is served as it is, until {certificate.not_valid_after_utc:%Y-%m-%d}")
    assert (tmp_path / "server.pem").read_bytes() == brought[file]
    assert (tmp_path / "server.key").read_bytes() == brought["own-server.key"]
    assert f"is good until {certificate.not_valid_after_utc:%Y-%m-%d}" in notice


@pytest.mark.parametrize("file", ["config-half-year.yaml", "config-level-lower-case.yaml"])
def test_a_configuration(file):
    def use():
        values = load_config(FOLDER / file, environ={}).properties
        if file == "config-half-year.yaml":
            return f"loads: {values.iot_device_cert_validity_years} years"
        return f"loads: {values.lambda_logger_level}"

    result = result_of(use)

    check_row(file, result)
    assert result in ("loads: 0.5 years", "loads: INFO")


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("template-byte-order-mark.json", "has no problem"),
        ("template-thing-name-from-serial.json", "ThingName"),
        ("template-literal-thing-name.json", "ThingName"),
    ],
)
def test_a_template(installation, file, wanted):
    body = read_file(FOLDER / file)

    problems = problems_of(DocumentVersion.Kind.TEMPLATE, body)

    result = " ".join(map(str, problems)) or "has no problem"
    check_row(file, result)
    assert wanted in result
    assert any(problem.is_error for problem in problems) == (wanted == "ThingName")


def test_a_policy():
    file = "policy-other-account-and-region.json"
    here = {"account": "123456789012", "region": "eu-central-1", "target": "default"}

    problems = foreign_places(read_file(FOLDER / file), **here)

    result = "is pushed with a warning: " + " ".join(map(str, problems))
    check_row(file, result)
    assert "123456789012" in result
    assert "eu-central-1" in result
    assert not any(problem.is_error for problem in problems)


@pytest.mark.parametrize("file", ["cacerts-of-rsa4096-ca.b64", "cacerts-after-successor.b64"])
def test_an_answer_of_cacerts(file):
    der = base64.b64decode((FOLDER / file).read_bytes())

    def lines(user_agent):
        reply = renderers.ca_certificates(der, with_smime_type=True, user_agent=user_agent)
        return reply.content.decode().splitlines()

    for_libest, for_others = lines("libest/3.2"), lines("strongSwan")

    check_row(file, f"{max(map(len, for_libest))} characters a line for libest, else one line")
    assert base64.b64decode("".join(for_libest)) == der
    assert len(for_others) == 1
    assert max(map(len, for_libest)) == 64
