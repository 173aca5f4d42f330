"""The three worlds of certificates: a picture and tables of this installation's own names."""

import datetime
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from estserver.console.authorities.worlds import MOST_READ, Node, World, read_worlds
from estserver.console.authorities.worlds_picture import MOST_DRAWN, cut, draw_world
from estserver.local_server.server_certificate import ensure_server_certificate
from estserver.people.roles import install_roles
from iotprov.models import CARegistration
from pki.models import CertificateAuthority
from tests.support.commands import rows

pytestmark = pytest.mark.django_db(transaction=True)

HOSTILE = '"><script>alert(1)</script>\u202egnp'
URL = "/admin/cas/worlds/"


@pytest.fixture
def alice(client):
    client.force_login(User.objects.create_superuser("alice"))
    return client


def copies(ca, count, **changes):
    """More CAs like ``ca``, as rows only."""
    for number in range(count):
        row = CertificateAuthority.objects.get(pk=ca.pk)
        row.pk = None
        row._state.adding = True
        row.name = f"{ca.name}-copy-{number:03d}"
        row.fingerprint_sha256 = f"{number:064x}"
        for name, value in changes.items():
            setattr(row, name, value)
        row.save(force_insert=True)


def flat(nodes):
    for node in nodes:
        yield node
        yield from flat(node.leads_to)


def names(world):
    return [(node.what, node.name, node.state) for node in flat(world.nodes)]


def test_each_world_leads_from_its_issuer_to_what_it_is_for(
    installation, device_ca, change_default_profile
):
    ensure_server_certificate(installation)
    change_default_profile(iot_provisioning="register")
    CARegistration.objects.create(ca=device_ca, target="default", state="registered")

    server, clients, devices = read_worlds()

    assert names(server) == [
        ("Issuer", "CN=EST server local CA", ""),
        ("Server certificate", "localhost, 127.0.0.1, ::1", "Valid"),
    ]
    assert names(clients) == [
        ("Client CA (mutual TLS)", "client-ca", "Active"),
        ("Profile, lets its clients in", "default", ""),
    ]
    assert names(devices) == [
        ("Device CA", "device-ca", "Active"),
        ("Profile, issues from it", "default", ""),
        ("AWS IoT", "default", "Registered"),
    ]
    assert (server.nodes[0].leads_to[0].until - timezone.now()).days >= 395


def test_the_domain_of_a_deployment_has_its_certificate_of_acm(db, settings, data_dir):
    properties = replace(
        settings.CONFIG.properties,
        api_custom_domain_name="est.example.com",
        api_certificate_arn="arn:aws:acm:eu-west-1:123456789012:certificate/1",
    )
    settings.CONFIG = replace(settings.CONFIG, properties=properties)
    settings.IS_LAMBDA = True

    server, *_ = read_worlds()

    assert names(server) == [
        ("Issuer", "arn:aws:acm:eu-west-1:123456789012:certificate/1", ""),
        ("EST domain", "est.example.com", "At API Gateway"),
    ]


def test_a_server_certificate_that_cannot_be_read_is_left_out(db, data_dir):
    (data_dir / "server.pem").write_text("nothing")

    assert read_worlds()[0].nodes == ()


def test_an_installation_without_cas_gets_the_commands(alice, data_dir):
    shown = alice.get(URL).text

    assert shown.count("manage.py bootstrap_cas makes or imports one.") == 2
    assert "manage.py runest makes one." in shown
    assert 'class="world"' not in shown


def test_each_name_is_a_link_in_the_picture_and_in_the_table(alice, device_ca, client_ca):
    shown = alice.get(URL).text

    for ca in (device_ca, client_ca):
        url = reverse("admin:pki_certificateauthority_change", args=[ca.pk])
        assert f'<a href="{url}"><text' in shown
        assert f'<a href="{url}">{ca.name}</a>' in shown
    assert "style=" not in "".join(re.findall(r"<svg.*?</svg>", shown, re.DOTALL))


def test_names_lead_only_where_the_person_may_go(client, device_ca):
    person = User.objects.create_user("victor", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_certificateauthority"))
    client.force_login(person)

    shown = client.get(URL).text

    assert f"/admin/pki/certificateauthority/{device_ca.pk}/change/" in shown
    assert "/admin/pki/certificateprofile/" not in shown
    install_roles()
    person.groups.set(Group.objects.filter(name="Viewer"))
    client.force_login(User.objects.get(username="victor"))  # a change of rights ends a session
    assert "/admin/pki/certificateprofile/" in client.get(URL).text


def test_T05_a_hostile_name_is_text(alice, device_ca):
    CertificateAuthority.objects.filter(pk=device_ca.pk).update(name=HOSTILE)

    shown = alice.get(URL).text

    assert "<script>alert" not in shown
    assert "\u202e" not in shown
    assert "&lt;script&gt;" in shown


def test_many_cas_take_no_more_statements_and_the_picture_ends(alice, device_ca):
    with CaptureQueriesContext(connection) as few:
        read_worlds()
    copies(device_ca, 2 * MOST_READ, not_after=timezone.now() + datetime.timedelta(days=9))
    with CaptureQueriesContext(connection) as many:
        _, _, devices = read_worlds()

    assert len(few) == len(many) == 3
    assert len(devices.nodes) == MOST_READ
    assert devices.is_shortened
    shown = alice.get(URL).text
    assert "more are in the table." in shown
    assert "There are more. The list of CAs has them all." in shown


def boxes(svg):
    return [
        tuple(map(int, found))
        for found in re.findall(r'<rect x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', svg)
    ]


def test_boxes_stay_inside_of_the_picture_and_apart():
    def node(name, *leads_to):
        return Node(what="Any", name=name, state="Active", kind="good", leads_to=leads_to)

    trees = [node(f"ca-{n}", node("W" * 80, node("t" * 80))) for n in range(12)]
    world = World("Devices", "", "", tuple(trees))

    svg = draw_world(world, may_open=lambda node: True)

    width, height = map(int, re.search(r'viewBox="0 0 (\d+) (\d+)"', svg).groups())
    found = boxes(svg)
    assert len(found) == 36 < MOST_DRAWN
    assert all(x + w <= width and y + h <= height for x, y, w, h in found)
    assert all(one[1] + one[3] < other[1] for one, other in pairwise(found))
    assert svg.count("<path") == 24  # one edge to each box that something leads to
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "ab…"
    assert cut("漢字漢字", 5) == "漢…"


def test_the_command_prints_the_same_trees(installation, device_ca):
    ensure_server_certificate(installation)

    printed = rows("cas", "worlds")

    assert [(row["world"], row["name"], row["below"]) for row in printed] == [
        ("the server", "CN=EST server local CA", ""),
        ("the server", "localhost, 127.0.0.1, ::1", "CN=EST server local CA"),
        ("clients", "client-ca", ""),
        ("clients", "default", "client-ca"),
        ("devices", "device-ca", ""),
        ("devices", "default", "device-ca"),
    ]
    assert printed[2]["until"].endswith("+00:00")
