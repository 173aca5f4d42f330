"""`manage.py migrate` on Aurora DSQL: from an empty cluster, cut off half-way, and later on."""

import pytest

pytestmark = pytest.mark.postgresql

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'est_server'"


def test_an_empty_cluster_gets_every_table_and_the_whole_history(deployed):
    said = deployed.manage("migrate", "--no-input")

    assert "Made the tables of" in said
    assert "No migrations to apply." in said
    tables = {name for (name,) in deployed.rows(TABLES)}
    assert {"pki_issuedcertificate", "iotprov_provisioning", "auth_user"} <= tables
    assert "No planned migration operations" in deployed.manage("migrate", "--plan")
    assert deployed.cluster.state.refusals == []
