"""Pages that show the newest rows say when there are more, and which command lists all."""

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from estserver.console.people import api_tokens, session_pages, two_persons_page
from estserver.models import ApiToken, ConsoleSession
from estserver.people import two_persons
from pki.record.audit_trail import Actor


def add_token(person, number):
    ApiToken.objects.create(
        account_id=person.pk,
        name=f"t{number}",
        sha256=f"{number:064}",
        beginning="x",
        roles=[],
        created_at=timezone.now(),
        expires_at=timezone.now(),
    )


def add_session(person, number):
    ConsoleSession.objects.create(
        account=person.pk, session_key=f"k{number}", browser="", address=""
    )


def add_request(person, number):
    two_persons.ask(
        operation="o",
        row=str(number),
        subject="a CA",
        parameters={},
        person=person,
        actor=Actor("admin:root"),
    )


@pytest.mark.parametrize(
    ("module", "add", "address", "command"),
    [
        (api_tokens, add_token, "/admin/api-tokens/", "api_tokens list"),
        (session_pages, add_session, "/admin/sessions/", "sessions list"),
        (two_persons_page, add_request, "/admin/requests/", "requests list --all"),
    ],
)
@pytest.mark.django_db(transaction=True)
def test_a_page_says_when_it_does_not_show_all(client, monkeypatch, module, add, address, command):
    person = User.objects.create_superuser("root")
    client.force_login(person)
    monkeypatch.setattr(module, "MOST_SHOWN", 3)
    add(person, 1)
    add(person, 2)
    assert "are shown. manage.py" not in client.get(address).text

    add(person, 3)
    add(person, 4)

    assert f"The newest 3 are shown. manage.py {command} lists all." in client.get(address).text
