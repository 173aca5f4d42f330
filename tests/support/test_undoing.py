"""After a test that commits, the database holds the rows that `migrate` left, and no other."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import TransactionTestCase

from pki.models import AuditEvent
from tests.support import undoing
from tests.support.undoing import undo


def everything():
    """Return all rows of all models, by table."""
    return {
        model._meta.db_table: list(model._base_manager.order_by("pk").values_list())
        for model in apps.get_models(include_auto_created=True)
        if model._meta.can_migrate(connection)
    }


@pytest.fixture
def as_migrated(transactional_db):
    """All rows before the test, some of which `migrate` made."""
    rows = everything()
    assert rows["auth_permission"]
    assert rows["auth_group_permissions"]
    assert not rows["pki_certificateauthority"]
    return rows


def test_rows_that_a_test_wrote_go(as_migrated, installation):
    User.objects.create_user("carol").groups.add(Group.objects.first())
    assert AuditEvent.objects.exists()

    undo()

    assert everything() == as_migrated


def test_rows_that_a_test_deleted_or_changed_come_back(as_migrated):
    Group.objects.order_by("pk").first().delete()
    Group.objects.filter(pk=Group.objects.order_by("pk").last().pk).update(name="changed")
    Permission.objects.order_by("pk").last().delete()

    undo()

    assert everything() == as_migrated


def test_truncating_leaves_the_same(as_migrated, installation, monkeypatch):
    monkeypatch.setattr(undoing, "_times_deleted", undoing.DELETED_ON_POSTGRESQL - 1)

    undo()

    assert everything() == as_migrated


def test_tests_that_commit_are_undone_by_it(db):
    assert TransactionTestCase._fixture_teardown.__module__ == undoing.__name__
