"""Who may log in: TLS, tokens, database roles and their mapping to principals of IAM."""

from dataclasses import replace

import psycopg
import pytest
from psycopg import errors

from tests.support.dsql.clients import connect, token
from tests.support.dsql.cluster import TESTER
from tests.support.dsql.login import Principal


def is_refused(cluster, *arguments, match, **options):
    """Check that a login fails with a text."""
    with pytest.raises(psycopg.OperationalError, match=match):
        connect(cluster, *arguments, **options)


def test_a_token_that_botocore_signs_lets_admin_in(cluster):
    with connect(cluster) as session:
        assert session.execute("SELECT current_user, session_user").fetchone() == ("admin",) * 2
        assert session.info.parameter_status("TimeZone") == "UTC"


def test_a_token_with_temporary_credentials(cluster):
    cluster.state.principals["ASIA"] = Principal("arn:aws:iam::1:role/a", "secret", "session/+=")
    password = token(cluster, keys=("ASIA", "secret"), session_token="session/+=")
    with connect(cluster, password=password):
        pass
    forged = token(cluster, keys=("ASIA", "secret"), session_token="other")
    is_refused(cluster, password=forged, match="security token")


def test_a_token_that_does_not_fit_is_refused(cluster):
    right = token(cluster)
    is_refused(cluster, password="secret", match="for the host")
    is_refused(cluster, password=right.replace(cluster.host, "other.on.aws"), match="for the host")
    is_refused(cluster, password=token(cluster, "device"), match="DbConnectAdmin")
    is_refused(cluster, password=token(cluster, keys=("AKIA", "x")), match="not known")
    is_refused(cluster, password=token(cluster, keys=("testing", "x")), match="signature")
    is_refused(cluster, password=f"{right[:-4]}beef", match="signature")
    is_refused(cluster, password=token(cluster, seconds=-1), match="expired")
    is_refused(cluster, password=right.replace("%2Feu-central-1", "%2Fus-east-1"), match="region")
    cluster.state.principals["testing"] = replace(TESTER, actions=frozenset({"dsql:DbConnect"}))
    is_refused(cluster, password=right, match="not authorized to perform: dsql:DbConnectAdmin")


def test_a_session_has_tls_the_name_and_the_database_of_the_cluster(cluster):
    is_refused(cluster, sslmode="disable", sslrootcert="", match="SSL connection is required")
    is_refused(cluster, sslmode="require", sslrootcert="", sslsni=0, match="unrecognized name")
    is_refused(cluster, sslrootcert="system", match="certificate verify failed")
    is_refused(cluster, dbname="other", match="does not exist")
    with connect(cluster, sslmode="require", sslrootcert=""):
        pass


def test_options_of_a_session_are_those_that_set_may_change(cluster):
    with connect(cluster, options="-c search_path=a,b") as session:
        assert session.execute("SHOW search_path").fetchone() == ("a,b",)
    is_refused(cluster, options="-c statement_timeout=5000", match="statement_timeout")


GRANT = f"AWS IAM GRANT device TO '{TESTER.arn}'"


def test_a_role_of_its_own_needs_a_grant_to_the_principal(cluster):
    cluster.state.query("DROP ROLE IF EXISTS device")
    is_refused(cluster, "device", match="does not exist or may not log in")
    with connect(cluster) as admin:
        with pytest.raises(errors.UndefinedObject):
            admin.execute(GRANT)
        admin.execute("CREATE ROLE device WITH LOGIN")
        is_refused(cluster, "device", match="AWS IAM GRANT")
        admin.execute(GRANT)
        assert admin.execute("SELECT * FROM sys.iam_pg_role_mappings").fetchall() == [
            (TESTER.arn, "device")
        ]
        admin.execute("CREATE TABLE kept (i int)")
        with connect(cluster, "device") as device:
            assert device.execute("SELECT current_user").fetchone() == ("device",)
            with pytest.raises(errors.InsufficientPrivilege):
                device.execute("SELECT * FROM kept")
            with pytest.raises(errors.InsufficientPrivilege):
                device.execute("CREATE TABLE other (i int)")
            with pytest.raises(errors.InsufficientPrivilege):
                device.execute(GRANT)
        is_refused(cluster, "device", password=token(cluster), match="action DbConnect")
        admin.execute(GRANT.replace("GRANT", "REVOKE").replace(" TO ", " FROM "))
        is_refused(cluster, "device", match="AWS IAM GRANT")
