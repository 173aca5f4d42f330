"""The review of migrations finds what Aurora DSQL refuses, and says what to do instead."""

import pytest
from django.db import models
from django.db.migrations import Migration, operations
from django.db.migrations.loader import MigrationLoader

from tests.estserver.dsql.review import BEFORE_DSQL, dsql_connection, review

APP = "pki"
MODEL = "denylistentry"


def reviewed(*changes):
    """Return what the review says of a migration with these operations, after ours."""
    loader = MigrationLoader(None)
    (leaf,) = loader.graph.leaf_nodes(APP)
    migration = Migration("9999_reviewed", APP)
    migration.operations = list(changes)
    migration.dependencies = [leaf]
    key = (APP, migration.name)
    loader.graph.add_node(key, migration)
    loader.graph.add_dependency(migration, key, leaf)
    loader.disk_migrations[key] = migration
    return [*review(loader, dsql_connection())]


def test_our_migrations_are_what_a_cluster_takes():
    assert [*review(MigrationLoader(None), dsql_connection())] == []


def test_the_review_begins_after_migrations_that_exist():
    assert set(BEFORE_DSQL.items()) <= set(MigrationLoader(None).graph.nodes)


def test_what_a_cluster_takes_passes():
    assert (
        reviewed(
            operations.AddField(MODEL, "note", models.TextField(null=True)),
            operations.AddIndex(MODEL, models.Index(fields=["reason"], name="entry_reason")),
            operations.CreateModel(
                "Other", [("id", models.UUIDField(primary_key=True)), ("n", models.TextField())]
            ),
            operations.RemoveField(MODEL, "created_by"),
        )
        == []
    )


@pytest.mark.parametrize(
    ("change", "statement", "advice"),
    [
        (
            operations.AddField(MODEL, "note", models.TextField(default="")),
            'ADD COLUMN "note" text DEFAULT',
            "Add a column that may be NULL and has nothing else",
        ),
        (
            operations.AddField(MODEL, "other", models.TextField(null=True, unique=True)),
            'ADD COLUMN "other" text UNIQUE',
            "give it its unique rule by an index",
        ),
        (
            operations.AlterField(MODEL, "reason", models.TextField()),
            'ALTER COLUMN "reason" TYPE text',
            "Add a column of the new type",
        ),
        (
            operations.AlterField(MODEL, "expires_at", models.DateTimeField()),
            'ALTER COLUMN "expires_at" SET NOT NULL',
            "let the code refuse None",
        ),
    ],
)
def test_what_a_cluster_refuses_is_named_with_what_to_do(change, statement, advice):
    found = reviewed(change)

    assert found, "nothing was refused"
    assert "The migration pki.9999_reviewed has a statement that Aurora DSQL refuses" in found[0]
    assert statement in found[0]
    assert advice in found[0]


def test_rows_are_changed_in_chunks_and_in_a_migration_of_their_own():
    def change(apps, schema_editor):
        raise AssertionError("a review changes nothing")

    (one_transaction,) = reviewed(operations.RunPython(change))
    assert "Give RunPython atomic=False" in one_transaction
    assert reviewed(operations.RunPython(change, atomic=False)) == []
    (beside,) = reviewed(
        operations.AddField(MODEL, "note", models.TextField(null=True)),
        operations.RunPython(change, atomic=False),
    )
    assert "Change rows in a migration of its own" in beside
