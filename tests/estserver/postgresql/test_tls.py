"""Which servers have to prove their names, by which CAs, and what is said when one does not."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from django.db import OperationalError

from estserver.config.database import database_settings
from estserver.postgresql.base import DatabaseWrapper
from estserver.postgresql.tls import RDS_CA_BUNDLE, rds_region, tls_options
from tests.estserver.postgresql.tls_server import HOST, tls_server

RDS = "db.cluster-abc.eu-central-1.rds.amazonaws.com"
PROXY = "est.proxy-abc.eu-central-1.rds.amazonaws.com"
AMAZONS_ROOTS = {f"Amazon Root CA {number}" for number in range(1, 5)}


def public_names(path):
    """The common names in a bundle that holds roots with serial numbers of old."""
    context = ssl.create_default_context(cafile=path)
    return {
        value
        for certificate in context.get_ca_certs()
        for ((key, value), *_) in certificate["subject"]
        if key == "commonName"
    }


def certificates(path):
    return x509.load_pem_x509_certificates(path.read_bytes())


def names(found):
    return {
        each.value
        for certificate in found
        for each in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    }


@pytest.mark.parametrize("host", ["", "/run/postgresql", "localhost", "127.0.0.1", "127.1.2.3"])
@pytest.mark.parametrize("given", [{}, {"sslmode": "require"}])
def test_nothing_is_asked_of_this_machine(host, given):
    assert tls_options(host, given) == {}
    assert tls_options("::1", given) == {}


@pytest.mark.parametrize("sslmode", ["disable", "allow", "prefer", "require", "verify-ca", None])
@pytest.mark.parametrize("host", [RDS, RDS.upper(), f"{RDS}.cn"])
def test_T70_a_host_of_rds_is_verified_whatever_the_url_says(host, sslmode):
    given = {"sslmode": sslmode} if sslmode else {}

    assert tls_options(host, given) == {
        "sslmode": "verify-full",
        "sslrootcert": str(RDS_CA_BUNDLE),
    }


def test_T70_a_name_that_only_looks_like_rds_gets_no_cas_of_rds():
    found = tls_options("rds.amazonaws.com.evil.example", {})

    assert found["sslmode"] == "verify-full"
    assert found["sslrootcert"] != str(RDS_CA_BUNDLE)


def test_T70_another_host_is_verified_by_public_cas_unless_its_url_says_otherwise():
    found = tls_options("db.example.com", {})

    assert found["sslmode"] == "verify-full"
    assert len(public_names(found["sslrootcert"])) > 80
    assert tls_options("db.example.com", {"sslmode": "require"}) == {}
    own = {"sslmode": "verify-full", "sslrootcert": "/ca.pem"}
    assert tls_options("db.example.com", own) == own


def test_a_persons_own_file_of_cas_stays_the_default(monkeypatch, tmp_path):
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").touch()
    monkeypatch.setenv("HOME", str(tmp_path))

    assert tls_options("db.example.com", {}) == {"sslmode": "verify-full"}


def test_an_rds_proxy_is_verified_by_amazons_public_roots():
    found = tls_options(PROXY, {})

    assert found["sslmode"] == "verify-full"
    assert public_names(found["sslrootcert"]) >= AMAZONS_ROOTS


def test_the_region_is_read_from_the_host():
    assert rds_region(RDS) == rds_region(PROXY) == "eu-central-1"
    assert rds_region("db.abc.us-west-2.rds.amazonaws.com.") == "us-west-2"
    assert rds_region("db.example.com") == ""


def test_the_bundle_holds_three_roots_of_each_region_and_nothing_else():
    found = certificates(RDS_CA_BUNDLE)
    soon = datetime.now(UTC) + timedelta(days=5 * 365)

    by_region = {}
    for certificate in found:
        (name,) = names([certificate])
        amazon, rds, region, *kind = name.split()
        assert (amazon, rds, kind[:2]) == ("Amazon", "RDS", ["Root", "CA"])
        assert certificate.issuer == certificate.subject
        certificate.verify_directly_issued_by(certificate)
        assert certificate.not_valid_after_utc > soon
        by_region.setdefault(region, set()).add(tuple(kind))
    assert {"eu-central-1", "us-east-1", "us-west-2", "ap-northeast-1"} <= by_region.keys()
    assert all(len(kinds) == 3 for kinds in by_region.values())


@pytest.fixture(scope="module")
def server():
    """A server of PostgreSQL with TLS, which shows a certificate for one name."""
    with tls_server() as server:
        yield server


@pytest.mark.postgresql
class TestAgainstAServer:
    """A server of PostgreSQL with TLS, which shows a certificate for one name."""

    @pytest.fixture
    def connect(self, server, monkeypatch, db):
        """Connect as if the host's name led to the server. Returns what the session says of TLS."""
        monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")

        def connect(host, query=""):
            url = f"postgresql://est:{server.password}@{host}:{server.port}/postgres{query}"
            settings = {"TIME_ZONE": None, "AUTOCOMMIT": True}
            connection = DatabaseWrapper(settings | database_settings(url, data_dir=None))
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
                    return cursor.fetchone()[0]
            finally:
                connection.close()

        return connect

    def test_T70_the_name_is_proved_by_the_ca_that_the_url_names(self, connect, server):
        assert connect(HOST, f"?sslrootcert={server.ca}") is True

    def test_T70_a_certificate_for_another_name_is_refused(self, connect, server):
        with pytest.raises(OperationalError, match=r"The database server other\.example\.com did"):
            connect("other.example.com", f"?sslrootcert={server.ca}")

    def test_T70_a_server_that_claims_to_be_rds_is_refused_even_if_the_url_asks_for_less(
        self, connect
    ):
        with pytest.raises(OperationalError, match=r"renew that file as docs/vpc\.md says") as it:
            connect(RDS, "?sslmode=require")

        assert "certificate verify failed" in str(it.value)

    def test_T70_an_unknown_ca_is_refused_with_what_to_set(self, connect):
        with pytest.raises(OperationalError) as caught:
            connect(HOST)

        words = str(caught.value)
        assert f"The database server {HOST} did not prove its name by TLS." in words
        assert "append sslmode=require" in words
        assert "sslrootcert=/path/to/ca.pem" in words

    def test_a_url_may_ask_for_tls_without_the_name(self, connect):
        assert connect(HOST, "?sslmode=require") is True

    def test_a_wrong_password_is_not_explained_as_tls(self, connect, server, monkeypatch):
        monkeypatch.setenv("PGHOSTADDR", "127.0.0.1")
        url = f"postgresql://est:wrong@{HOST}:{server.port}/postgres?sslrootcert={server.ca}"
        settings = {"TIME_ZONE": None, "AUTOCOMMIT": True}
        connection = DatabaseWrapper(settings | database_settings(url, data_dir=None))

        with pytest.raises(OperationalError, match="password authentication failed") as caught:
            connection.ensure_connection()

        assert "did not prove" not in str(caught.value)
