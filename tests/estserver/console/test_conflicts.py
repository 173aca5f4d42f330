"""A page whose own write the database takes back says so, and saves nothing."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection

from estserver.console.conflicts import CONFLICT, TOO_MUCH

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = {"name": "operators"}


class Refusal(Exception):
    """What psycopg raises, as far as it is looked at."""

    def __init__(self, sqlstate):
        self.sqlstate = sqlstate


@pytest.fixture
def admin(client):
    client.force_login(get_user_model().objects.create_superuser("root", password="x"))
    client.raise_request_exception = False
    return client


def refusing_the_log(sqlstate):
    """Fail the last statement of a page's transaction, as a commit may."""

    def run(execute, sql, *arguments):
        if sql.startswith("INSERT") and "django_admin_log" in sql:
            raise OperationalError("refused") from Refusal(sqlstate)
        return execute(sql, *arguments)

    return connection.execute_wrapper(run)


@pytest.mark.parametrize(
    ("sqlstate", "status", "text"),
    [("40001", 503, CONFLICT), ("OC000", 503, CONFLICT), ("54000", 409, TOO_MUCH)],
)
def test_a_page_that_met_another_writer_saves_nothing_and_says_so(admin, sqlstate, status, text):
    with refusing_the_log(sqlstate):
        response = admin.post("/admin/auth/group/add/", GROUP)

    assert response.status_code == status
    assert text in response.text
    assert '<nav id="console-nav"' in response.text  # the page is the console's
    assert '<input type="hidden" name="name" value="operators">' in response.text  # what was typed
    assert '<form method="post" action="/admin/auth/group/add/">' in response.text
    assert response.get("Retry-After") == ("1" if status == 503 else None)
    assert "no-store" in response["Cache-Control"]
    assert not LogEntry.objects.exists()
    added = admin.post("/admin/auth/group/add/", GROUP)
    assert added.status_code == 302  # so it was not there


def test_any_other_error_of_the_database_stays_one(admin):
    with refusing_the_log("58030"):
        assert admin.post("/admin/auth/group/add/", GROUP).status_code == 500


def test_a_page_that_was_only_opened_is_offered_again_and_nothing_is_sent(admin):
    def refuse(execute, sql, *arguments):
        if "auth_group" in sql:
            raise OperationalError("refused") from Refusal("40001")
        return execute(sql, *arguments)

    with connection.execute_wrapper(refuse):
        response = admin.get("/admin/auth/group/?q=a")

    assert response.status_code == 503
    assert '<a href="/admin/auth/group/?q=a">Open the page again</a>' in response.text
    assert 'value="Send it again"' not in response.text
