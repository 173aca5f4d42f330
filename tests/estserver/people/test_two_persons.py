"""A second person confirms what one person asks of a CA, where the configuration wants that."""

import datetime
import io
import json
import threading

import pytest
from django.contrib.auth.models import Group, User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from estserver.models import OfficerRequest
from estserver.people import two_persons
from estserver.people.roles import install_roles
from pki.admin.operations import SECOND_PERSON
from pki.admin.trust_operations import DistrustCA
from pki.models import AuditEvent, CertificateAuthority
from pki.operators.errors import OperatorError
from pki.record.audit_trail import Actor

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/requests/"
State = OfficerRequest.State


def officer(name, role="CA officer"):
    person = User.objects.create_user(name, password="x", is_staff=True)
    person.groups.set(Group.objects.filter(name=role))
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def officers(installation, settings):
    """Alice and Bob, who are CA officers; Olga, who is an operator."""
    settings.EST_ADMIN_TWO_PERSONS = True
    install_roles()
    return officer("alice"), officer("bob"), officer("olga", "Operator")


def distrust(client, ca, **typed):
    url = reverse("admin:pki_certificateauthority_distrust", args=[ca.pk])
    return client.post(url, {"name": ca.name, "reason": "key read out", **typed}, follow=True)


@pytest.fixture
def asked(officers, client_ca):
    """Alice's request to distrust the client CA."""
    alice, *_ = officers
    answer = distrust(alice, client_ca)
    assert "Nothing was done yet." in answer.text
    return OfficerRequest.objects.get()


def decide(client, row, decision, reason=""):
    return client.post(f"{LIST}{row.pk}/", {"decision": decision, "reason": reason})


def test_T80_what_one_person_asks_is_done_when_another_confirms_it(officers, client_ca, asked):
    _, bob, _ = officers
    client_ca.refresh_from_db()
    assert client_ca.status == client_ca.Status.ACTIVE

    page = bob.get(f"{LIST}{asked.pk}/").text
    for shown in ("key read out", client_ca.name, "alice", "What happens"):
        assert shown in page
    assert decide(bob, asked, "confirm").status_code == 302

    client_ca.refresh_from_db()
    asked.refresh_from_db()
    assert client_ca.status == client_ca.Status.REVOKED
    assert (asked.state, asked.decided_by_name) == (State.DONE, "bob")
    rows = AuditEvent.objects.filter(request_id=str(asked.pk)).order_by("at")
    assert [(row.action, row.actor) for row in rows] == [
        ("two-persons-ask", "admin:alice"),
        ("two-persons-confirm", "admin:bob"),
        ("distrust-ca", "admin:bob for admin:alice"),
    ]
    # The form was sent without the tick.
    assert not client_ca.are_certificates_stopped


def test_T80_nobody_confirms_their_own_request_and_nobody_without_the_right(
    officers, client_ca, asked
):
    alice, _, olga = officers

    own, others = decide(alice, asked, "confirm"), decide(olga, asked, "confirm")

    assert "another person confirms it" in own.text
    assert others.status_code == 403
    client_ca.refresh_from_db()
    assert client_ca.status == client_ca.Status.ACTIVE


def test_T80_a_request_is_refused_with_a_reason_and_is_over(officers, client_ca, asked):
    _, bob, _ = officers
    assert "Give a reason" in decide(bob, asked, "refuse").text
    assert decide(bob, asked, "refuse", "not necessary").status_code == 302

    again = decide(bob, asked, "confirm")

    assert "was decided" in again.text
    client_ca.refresh_from_db()
    assert client_ca.status == client_ca.Status.ACTIVE
    assert AuditEvent.objects.get(action="two-persons-refuse").reason == "not necessary"


def test_T80_a_request_holds_for_a_day(officers, client_ca, asked):
    _, bob, _ = officers
    OfficerRequest.objects.update(ends_at=two_persons.timezone.now() - datetime.timedelta(1))

    assert "not confirmed within a day" in decide(bob, asked, "confirm").text
    client_ca.refresh_from_db()
    assert client_ca.status == client_ca.Status.ACTIVE


def test_T80_a_request_of_an_account_that_is_not_active_is_not_confirmed(
    officers, client_ca, asked
):
    _, bob, _ = officers
    User.objects.filter(username="alice").update(is_active=False)

    assert "not active any more" in decide(bob, asked, "confirm").text


def test_T80_of_two_confirmations_at_a_time_one_takes_effect(officers, client_ca, asked):
    bob = User.objects.get(username="bob")
    done, barrier = [], threading.Barrier(2)

    def confirm():
        row = OfficerRequest.objects.get(pk=asked.pk)
        barrier.wait(timeout=20)
        try:
            two_persons.confirm(
                row, person=bob, actor=Actor("admin:bob"), carry_out=lambda _: done.append(1) or ""
            )
        except OperatorError as error:
            done.append(str(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=confirm) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, done)) == ["1", "The request was decided meanwhile, or its day is over."]


def test_T80_what_is_refused_when_confirmed_is_over_and_says_why(officers, client_ca, asked):
    _, bob, _ = officers

    def refuse(actor):
        raise OperatorError("The disk is full.")

    with pytest.raises(OperatorError, match="disk"):
        two_persons.confirm(
            asked, person=User.objects.get(username="bob"), actor=Actor("x"), carry_out=refuse
        )

    assert (asked.state, asked.result) == (State.FAILED, "The disk is full.")
    assert decide(bob, asked, "confirm").status_code == 200


def test_T80_the_same_is_asked_once(officers, client_ca, asked):
    _, bob, _ = officers

    answer = distrust(bob, client_ca)

    assert "alice has asked for it already" in answer.text
    assert OfficerRequest.objects.count() == 1


def test_T80_a_private_key_waits_nowhere(officers, client_ca):
    alice, *_ = officers
    key = "-----BEGIN PRIVATE KEY----- MIIEvQIBADANBgkqh"

    answer = distrust(alice, client_ca, reason=key)

    assert "cannot wait for a second person" in answer.text
    assert not OfficerRequest.objects.exists()


def test_T80_each_operation_of_the_table_waits_and_says_so(officers, device_ca):
    from django.contrib import admin

    alice, *_ = officers
    waiting = {
        one.slug
        for model_admin in admin.site._registry.values()
        for one in getattr(model_admin, "operations", ())
        if one.takes_two_persons
    }
    url = reverse("admin:pki_certificateauthority_successor", args=[device_ca.pk])

    assert waiting == {"create", "import", "successor", "retire", "distrust"}
    assert SECOND_PERSON in alice.get(url).text
    alice.post(url, {"name": device_ca.name, "reason": "yearly"})
    assert CertificateAuthority.objects.device().count() == 1
    assert OfficerRequest.objects.get().parameters == {
        "name": [device_ca.name], "reason": ["yearly"],
    }  # fmt: skip
    assert device_ca.name in alice.get(LIST).text


def test_without_the_key_of_the_configuration_one_person_is_enough(officers, client_ca, settings):
    settings.EST_ADMIN_TWO_PERSONS = False
    alice, *_ = officers

    distrust(alice, client_ca)

    client_ca.refresh_from_db()
    assert client_ca.status == client_ca.Status.REVOKED
    assert not OfficerRequest.objects.exists()


def test_the_command_lists_and_refuses_requests(officers, client_ca, asked):
    def run(*words):
        out = io.StringIO()
        call_command("requests", *words, stdout=out)
        return out.getvalue()

    (listed,) = map(json.loads, run("list", "--json").splitlines())
    assert (listed["id"], listed["asked_by"]) == (str(asked.pk), "alice")
    with pytest.raises(CommandError, match="There is no request"):
        run("refuse", str(client_ca.pk), "--reason", "a mistake")
    assert run("refuse", str(asked.pk), "--reason", "a mistake").startswith("Refused: ")

    asked.refresh_from_db()
    assert (asked.state, asked.result) == (State.REFUSED, "a mistake")
    event = AuditEvent.objects.get(action="two-persons-refuse")
    assert event.actor == asked.decided_by_name
    assert event.actor.startswith("command:")
    assert run("list") == "No request waits for a second person.\n"
    assert "refused" in run("list", "--all")
    with pytest.raises(CommandError, match="decided meanwhile"):
        run("refuse", str(asked.pk), "--reason", "once more")
    distrust(officers[0], client_ca)  # the same can be asked for again
    assert OfficerRequest.objects.filter(state=State.OPEN).exists()


def test_T80_a_request_of_yesterday_does_not_keep_the_same_from_being_asked(
    officers, client_ca, asked
):
    _, bob, _ = officers
    OfficerRequest.objects.update(ends_at=two_persons.timezone.now())

    assert "Nothing was done yet." in distrust(bob, client_ca).text
    assert OfficerRequest.objects.count() == 2


def test_T80_a_person_who_may_not_do_it_sees_no_form_of_it(officers, asked, monkeypatch):
    _, bob, _ = officers
    monkeypatch.setattr(DistrustCA, "is_allowed", classmethod(lambda *_: False))

    answers = bob.get(f"{LIST}{asked.pk}/"), decide(bob, asked, "confirm")

    assert [answer.status_code for answer in answers] == [403, 403]
    asked.refresh_from_db()
    assert asked.state == State.OPEN
