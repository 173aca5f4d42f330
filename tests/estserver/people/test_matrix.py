"""Who gets an answer at which address: compared with docs/roles.md, which people review."""

import os
from dataclasses import replace

import pytest
from django.utils import timezone

from estserver.models import Message, TruststorePush, Webhook
from iotprov.documents.versions import add_version
from pki.jobs.exporting import start_export
from pki.jobs.worker import work_on_job
from pki.models import IssuedCertificate, Job, JobLine
from tests.estserver.api.role_matrix import TITLE as API_TITLE
from tests.estserver.people import role_matrix
from tests.estserver.people.role_matrix import NO_ROLE, PEOPLE, SIGNED_OUT, SUPERUSER, Walk
from tests.iotprov.samples import TEMPLATE
from tests.support.showcase import ALICE, furnish

pytestmark = pytest.mark.django_db

HEAD = """# Who may open what

Written by `python -m tests.estserver.people.write_role_matrix`. A test walks every address and
every action of a list as each kind of person, and compares. A cell has the methods that are
answered: with GET a person sees the page, with POST it takes their form. An empty cell is a
refusal. [people.md](people.md) says what the roles are for.
"""


@pytest.fixture
def walk(est_client, device_ca, settings, caplog):
    """An installation with a row of every kind, and a person of every kind."""
    settings.ROOT_URLCONF = "estserver.urls.admin"
    settings.AUTHENTICATION_BACKENDS = [f"{role_matrix.__name__}.RememberingBackend"]
    settings.EST_ADMIN_SECOND_FACTOR = "optional"
    properties = replace(settings.CONFIG.properties, api_custom_domain_name="mtls.example.com")
    settings.CONFIG = replace(settings.CONFIG, properties=properties)  # it has a truststore
    caplog.set_level("CRITICAL")
    furnish(est_client, device_ca)
    add_version("template", TEMPLATE, actor=ALICE, reason="first")
    JobLine.objects.all().delete()
    Job.objects.all().delete()
    hook = Webhook.objects.create(
        name="inventory", url="https://hooks.example.com/", secret="x", created_by="x"
    )
    Message.objects.create(
        channel="webhook", webhook=hook, once="x", event="x", body="{}", give_up_at=timezone.now()
    )
    TruststorePush.objects.create(
        domain="mtls.example.com",
        uri="s3://bucket/truststore.pem",
        version_id="1",
        sha256="0" * 64,
        certificate_count=1,
        reason="first",
        pushed_by="x",
    )
    export = start_export(IssuedCertificate.objects.all(), form="pem", actor=ALICE)
    work_on_job(export.pk, may_go_on=lambda: True)
    return Walk()


@pytest.fixture
def found(walk):
    """What each kind of person gets at every door."""
    return {door: walk.answers(door) for door in role_matrix.in_order(role_matrix.doors())}


def test_T53_every_address_is_for_the_people_whom_the_table_names(found):
    text = HEAD + role_matrix.lines(found)
    page, mark, of_the_api = role_matrix.PAGE.read_text().partition(API_TITLE)
    if os.environ.get(role_matrix.WRITE):
        page = f"{text}\n"
        role_matrix.PAGE.write_text(f"{page}{mark}{of_the_api}")

    assert page.rstrip().splitlines() == text.splitlines()
    _the_table_keeps_to_the_rules(found)


def _the_table_keeps_to_the_rules(found):
    """What must hold of any table, so that a wrong one cannot be written and reviewed away."""
    for_all = {"admin/login/", "healthz", "readyz"}
    for door, answers in found.items():
        is_closed = door.route in role_matrix.FOUND_BY_NOBODY
        is_closed = is_closed or door.route.endswith(("/add/", "/delete/"))
        assert is_closed or answers[SUPERUSER], (
            f"{door} opens for nobody. Does the walk lack a row?"
        )
        assert not answers[SIGNED_OUT] or door.route in for_all, door
        for name in PEOPLE[:-1]:
            assert set(answers[name]) <= set(answers[SUPERUSER]), (name, door)
        assert set(answers[NO_ROLE]) <= set(answers["Viewer"]), door
        assert set(answers["Viewer"]) <= set(answers["Operator"]), door
        assert set(answers["Operator"]) <= set(answers["CA officer"]), door
    page_of_a_superuser = f"admin/auth/user/{role_matrix.OF_A_SUPERUSER}/"
    only_superusers = [
        one
        for one in found
        if role_matrix.OF_A_SUPERUSER in one.route and one.route != page_of_a_superuser
    ]  # the bare address leads to the page of the account
    assert only_superusers
    for door in only_superusers:
        writers = [name for name in PEOPLE if "POST" in found[door][name]]
        may_read = {"People manager"} if door.route.endswith("history/") else set()
        assert set(writers) <= {SUPERUSER, *may_read}, door
