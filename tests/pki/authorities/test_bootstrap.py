"""From the configuration to CAs that work; twice is as good as once."""

import os
import stat
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509 import load_pem_x509_certificate
from django.db import OperationalError, connection

from estserver.config import PROJECT_ROOT
from pki.authorities.bootstrap import bootstrap_cas
from pki.authorities.pem_files import read_certificates, read_private_key
from pki.conf import ClientCASettings, DeviceCASettings
from pki.exceptions import Busy
from pki.models import CertificateAuthority, CertificateProfile, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.signers import get_signer
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_certificate, make_csr, make_key
from tests.support.est_client import ESTClient
from tests.support.openssl import openssl, write_pem
from tests.support.plugins import ExternalPKI

SUFFIXES = ("key", "pem", "p12-password", "p12")


def bootstrap(**options):
    return bootstrap_cas(actor=TESTER, **options)


def files_in(directory):
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def write_key(path, key, encryption=None):
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())
    path.write_bytes(pem)
    return path


@pytest.fixture
def plan(data_dir, settings, db):
    """Change what the configuration asks for."""

    def change(**changes):
        settings.PKI = replace(settings.PKI, **changes)
        get_signer.cache_clear()

    return change


def test_a_second_run_changes_nothing_and_says_so(db, data_dir):
    first = bootstrap()
    files, rows = files_in(data_dir), list(CertificateAuthority.objects.values())

    second = bootstrap()

    assert [line.split(": ", 1)[1].split(",")[0] for line in first] == ["made"] * 4
    assert all(line.endswith("left as it is") for line in second)
    assert (files_in(data_dir), list(CertificateAuthority.objects.values())) == (files, rows)
    assert IssuedCertificate.objects.count() == 1


def test_force_makes_successors_and_overwrites_nothing(installation):
    files = files_in(installation)

    lines = bootstrap(force=True)

    assert "succeeds device-ca, which stays trusted" in lines[0]
    assert "succeeds client-ca, which stays trusted" in lines[1]
    now = files_in(installation)
    assert files.items() <= now.items()
    assert {path.name for path in now if path.name.startswith("test-client-2.")} == {
        f"test-client-2.{suffix}" for suffix in SUFFIXES
    }
    for stem in ("test-client", "test-client-2"):  # the old client is as good as the new one
        client = ESTClient.from_files(installation / f"{stem}.pem")
        csr = make_csr(f"sensor-of-{stem}", key=make_key("ec-p256", len(stem)))
        assert client.simpleenroll(csr).certificate


def test_the_test_clients_files_are_for_their_owner_only(installation):
    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (*installation.glob("test-client.*"), *(installation / "keys").iterdir())
    }

    assert modes.pop("test-client.pem") == 0o644
    assert len(modes) == 5
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((installation / "key-passphrase").stat().st_mode) == 0o600


def test_the_p12_opens_with_its_password_only(installation, client_ca):
    path = installation / "test-client.p12"
    password = (installation / "test-client.p12-password").read_bytes().strip()

    key, certificate, chain = pkcs12.load_key_and_certificates(path.read_bytes(), password)

    assert certificate == load_pem_x509_certificate((installation / "test-client.pem").read_bytes())
    assert key.public_key() == certificate.public_key()
    in_pem = load_pem_private_key((installation / "test-client.key").read_bytes(), None)
    assert in_pem.public_key() == key.public_key()
    assert chain == [client_ca.certificate]
    assert openssl("pkcs12", "-in", path, "-noout", "-passin", "pass:wrong").returncode != 0
    said = openssl("pkcs12", "-in", path, "-noout", "-passin", f"pass:{password.decode()}")
    assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("lost", SUFFIXES)
def test_an_unfinished_test_client_is_made_whole(installation, lost):
    (installation / f"test-client.{lost}").unlink()

    bootstrap()

    key = load_pem_private_key((installation / "test-client.key").read_bytes(), None)
    certificate = ESTClient.from_files(installation / "test-client.pem").certificate
    assert key.public_key() == certificate.public_key()
    assert (installation / f"test-client.{lost}").exists()


# Made elsewhere


def test_a_device_CA_is_imported_with_its_key(plan, tmp_path):
    root = make_ca("Root")
    theirs = make_ca("Their CA", issuer=root)
    certificate = write_pem(tmp_path / "ca.pem", theirs.certificate, root.certificate)
    key = write_key(tmp_path / "ca.key", theirs.key)
    plan(device_ca=DeviceCASettings(certificate_path=certificate, private_key_path=key))

    assert bootstrap()[0] == (
        "device CA device-ca: imported, its key is with the signer 'keyfile' now; keep the "
        "original somewhere safe"
    )
    assert bootstrap()[0] == "device CA device-ca: on record, left as it is"

    client = ESTClient.from_files(tmp_path / "test-client.pem")
    issued = client.simpleenroll(make_csr("sensor-1")).certificate
    issued.verify_directly_issued_by(theirs.certificate)
    assert set(client.cacerts().certificates) == {theirs.certificate, root.certificate}


def test_a_device_CA_without_key_is_signed_by_the_PKI_outside(plan, tmp_path):
    theirs = make_ca("Their CA")
    ExternalPKI.answer = staticmethod(
        lambda csr, data, validity, secret: make_certificate(
            theirs, subject=csr.subject, public_key=csr.public_key()
        )
    )
    plan(
        signers={
            "keyfile": {"BACKEND": "pki.signers.keyfile.KeyFileSigner"},
            "external": {
                "BACKEND": "pki.signers.external.ExternalSigner",
                "OPTIONS": {"class": "tests.support.plugins.ExternalPKI"},
            },
        },
        device_ca=DeviceCASettings(
            certificate_path=write_pem(tmp_path / "ca.pem", theirs.certificate), signer="external"
        ),
    )

    assert bootstrap()[0] == (
        "device CA device-ca: imported, signed by the external PKI through the signer 'external'"
    )

    client = ESTClient.from_files(tmp_path / "test-client.pem")
    client.simpleenroll(make_csr("sensor-1")).certificate.verify_directly_issued_by(
        theirs.certificate
    )


def test_another_device_CA_in_the_configuration_needs_force(installation, plan, tmp_path):
    theirs = make_ca("Their CA")
    plan(
        device_ca=DeviceCASettings(
            certificate_path=write_pem(tmp_path / "ca.pem", theirs.certificate),
            private_key_path=write_key(tmp_path / "ca.key", theirs.key),
        )
    )

    with pytest.raises(OperatorError, match=r"device-ca is on record, and .*ca.pem holds another"):
        bootstrap()
    bootstrap(force=True)

    assert CertificateProfile.objects.get(active_label="").ca.name == "device-ca-2"


def test_every_CA_of_a_truststore_is_trusted_and_no_test_client_made(plan, tmp_path):
    cas = [make_ca("Factory A"), make_ca("Factory B"), make_ca("Factory C")]
    path = write_pem(tmp_path / "truststore.pem", *(ca.certificate for ca in cas))
    plan(client_ca=ClientCASettings(truststore_path=path))

    lines = bootstrap()

    assert [line for line in lines if "imported from the truststore" in line] == [
        "client CA client-ca: imported from the truststore, CN=Factory A",
        "client CA client-ca-2: imported from the truststore, CN=Factory B",
        "client CA client-ca-3: imported from the truststore, CN=Factory C",
    ]
    assert not list(tmp_path.glob("test-client*"))
    assert all("left as it is" in line for line in bootstrap())


def test_one_bad_certificate_in_a_truststore_stops_all_of_it(plan, tmp_path):
    good = make_ca("Factory A")
    path = write_pem(tmp_path / "t.pem", good.certificate, make_certificate(good))
    plan(client_ca=ClientCASettings(truststore_path=path))

    with pytest.raises(OperatorError, match="CN=sensor-1 is not a CA certificate"):
        bootstrap()

    assert not CertificateAuthority.objects.client().exists()


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "x.pem cannot be read: No such file or directory"),
        (b"", "There is no certificate. Give it as PEM"),
        (b"\x30\x82\x01", "There is no certificate. Give it as PEM"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "The first certificate cannot be read: its structure is not DER",
        ),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n", "A PEM block has no end"),
        (b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n", "is not base64"),
    ],
)
def test_a_file_without_certificates_is_refused(tmp_path, content, complaint):
    path = tmp_path / "x.pem"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(OperatorError, match=complaint):
        read_certificates(path)


def test_a_file_without_a_usable_key_is_refused(tmp_path):
    path = tmp_path / "ca.key"
    with pytest.raises(OperatorError, match=r"ca\.key cannot be read: No such file"):
        read_private_key(path)
    path.write_bytes(b"hello")
    with pytest.raises(OperatorError, match="holds no private key that can be read"):
        read_private_key(path)
    write_key(path, make_ca("X").key, BestAvailableEncryption(b"secret"))
    with pytest.raises(OperatorError, match=r"is encrypted\. Decrypt it for the import"):
        read_private_key(path)
    write_key(path, ed25519.Ed25519PrivateKey.generate())
    with pytest.raises(OperatorError, match="Give an EC or RSA key"):
        read_private_key(path)


# Killed half-way


@pytest.mark.parametrize("statement", [1, 2, 3, 5, 8, 13, 21])
def test_a_run_that_was_cut_off_is_completed_by_the_next(db, data_dir, statement):
    written = []

    def cut_off(execute, sql, *arguments):
        if sql.startswith(("INSERT", "UPDATE")):
            written.append(sql)
            if len(written) == statement:
                raise OperationalError("the power went")
        return execute(sql, *arguments)

    with connection.execute_wrapper(cut_off), suppress(Busy):
        bootstrap()

    bootstrap()

    client = ESTClient.from_files(data_dir / "test-client.pem")
    assert client.simpleenroll(make_csr("sensor-1")).certificate
    assert CertificateAuthority.objects.count() == 2
    assert CertificateProfile.objects.count() == 1


# The sample configurations


@pytest.fixture
def manage_with(tmp_path):
    """Run ``manage.py`` with one of the configurations in ``config/``, unchanged."""

    def prepare(sample):
        return partial(_manage, tmp_path, sample)

    return prepare


def _manage(tmp_path, sample, *arguments):
    environ = {
        **os.environ,
        "EST_CONFIG": str(PROJECT_ROOT / "config" / f"{sample}.yaml"),
        "EST_DATA_DIR": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "estserver.settings.admin",
    }
    environ.pop("DATABASE_URL", None)
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT_ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("sample", ["config-sample-all-generated", "config-local"])
def test_a_sample_configuration_brings_up_an_installation(tmp_path, manage_with, sample):
    manage = manage_with(sample)

    assert manage("migrate", "-v0").returncode == 0
    said = manage("bootstrap_cas")

    assert (said.returncode, said.stderr) == (0, "")
    assert "device CA device-ca: made, ec-p256" in said.stdout
    assert (tmp_path / "test-client.p12").exists()


def test_the_external_sample_waits_for_its_ca_and_makes_none_of_its_own(manage_with):
    manage = manage_with("config-sample-all-external")

    assert manage("migrate", "-v0").returncode == 0
    said = manage("bootstrap_cas")

    assert said.returncode == 1
    assert "generateIotCaCertificate is false)" in said.stderr
    assert "Set DeploymentOptions.iotCoreCaCertificatePath" in said.stderr
    assert said.stdout == ""
