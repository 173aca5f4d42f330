"""`manage.py migrate` on Aurora DSQL: from an empty cluster, cut off half-way, and later on."""

import threading
import time

import psycopg
import pytest

pytestmark = pytest.mark.postgresql

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'est_server'"
COLUMNS = """
SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns
WHERE table_schema = %s
"""
UNIQUE = """
SELECT t.relname, string_agg(a.attname, ', ' ORDER BY a.attname) FROM pg_index i
JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = t.relnamespace
JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY (i.indkey)
WHERE n.nspname = %s AND i.indisunique GROUP BY i.indexrelid, t.relname
"""
OTHERWISE = {"inet": "character varying", "integer": "bigint"}
"""Types that are others at a cluster: it has no inet, and its identities are bigint."""


def test_an_empty_cluster_gets_every_table_and_the_whole_history(deployed):
    said = deployed.manage("migrate", "--no-input")

    assert "Made the tables of" in said
    assert "No migrations to apply." in said
    tables = {name for (name,) in deployed.rows(TABLES)}
    assert {"pki_issuedcertificate", "iotprov_provisioning", "auth_user"} <= tables
    assert "No planned migration operations" in deployed.manage("migrate", "--plan")
    assert deployed.cluster.state.refusals == []


def test_a_run_that_was_cut_off_goes_on(deployed):
    deployed.manage("migrate", "--no-input")
    history = deployed.rows("SELECT count(*) FROM est_server.django_migrations")
    for statement in (
        "DELETE FROM est_server.django_migrations",
        "DROP TABLE est_server.auth_user_groups",
        "DROP INDEX est_server.certificate_new_name",
        "DROP TABLE est_server.iotprov_cawithdrawal",
    ):
        deployed.rows(statement)

    deployed.manage("migrate", "--no-input")

    assert deployed.rows("SELECT count(*) FROM est_server.django_migrations") == history
    tables = {name for (name,) in deployed.rows(TABLES)}
    assert {"auth_user_groups", "iotprov_cawithdrawal"} <= tables
    (index,) = deployed.rows(
        "SELECT indexdef FROM pg_indexes WHERE indexname = 'certificate_new_name'"
    )
    assert "new_name_of" in index[0]


def test_nothing_is_recorded_while_an_index_is_not_in_force(deployed):
    """An index whose build fails holds no rule, and its table's history is not written."""
    deployed.cluster.state.jobs.are_held = True
    finishing = threading.Timer(3, deployed.cluster.state.jobs.finish)
    finishing.start()

    started = time.monotonic()
    deployed.manage("migrate", "--no-input")

    assert time.monotonic() - started > 3
    assert deployed.rows("SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [(0,)]


def test_an_index_that_is_not_in_force_is_named_and_built_again_with_its_migration(deployed):
    deployed.manage("migrate", "--no-input")
    index = "est_server.certificate_new_name"
    for statement in (
        f"UPDATE pg_index SET indisvalid = false WHERE indexrelid = '{index}'::regclass",
        "DELETE FROM est_server.django_migrations WHERE app = 'pki'",  # as when migrate failed
    ):
        deployed.rows(statement)

    said = deployed.manage("check", "--database", "default", expects=1)
    deployed.manage("migrate", "--no-input")

    assert "(estserver.E051) The index certificate_new_name of pki_issuedcertificate is not" in said
    assert deployed.rows(
        f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{index}'::regclass"
    ) == [(True,)]


def test_the_schema_is_that_of_the_migrations_on_postgresql(deployed):
    """Tables, columns, unique rules and indexes are the same, however they were made."""
    deployed.manage("migrate", "--no-input")
    deployed.rows("CREATE DATABASE plain")
    url = deployed.server.url("plain")
    deployed.manage("migrate", "--no-input", environ={"DATABASE_URL": url})

    with psycopg.connect(url) as plain:
        columns = {
            (*row[:2], OTHERWISE.get(row[2], row[2]), row[3])
            for row in plain.execute(COLUMNS, ["public"]).fetchall()
        }
        unique = {*plain.execute(UNIQUE, ["public"]).fetchall()}
    here = {
        (*row[:2], OTHERWISE.get(row[2], row[2]), row[3])
        for row in deployed.rows(COLUMNS, "est_server")
    }
    assert here == columns
    assert {*deployed.rows(UNIQUE, "est_server")} == unique
