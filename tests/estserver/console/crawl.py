"""The web admin as a crawler finds it: a person, rows of every kind, and what links lead to."""

import hashlib
import re
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from estserver.models import PendingHook, TruststorePush
from iotprov.documents.versions import add_version
from iotprov.models import CARegistration, DocumentPush, DocumentVersion, Provisioning
from pki.authorities.succeed import make_successor
from pki.denylist.entries import deny
from pki.models import DenylistEntry, IssuedCertificate, Job, JobLine
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.revocation.crl import make_crl
from tests.estserver.console.everywhere import kind_of, not_opened
from tests.iotprov.samples import POLICY
from tests.support import people_rows
from tests.support.builders import make_csr, make_key

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202egnp.exe",
    "\x1b[31m\x07",
]
OPERATOR = Actor("command:root")
NOT_BY_LINKS = {
    "login",
    "console_second_factor_code",
    "console_second_factor_reset",
    "console_test_enroll_clean_up",
    "estserver_truststorepush_roll-back",
}
"""Pages that no link of a superuser's own leads to here."""


@pytest.fixture
def alice(installation):
    """A browser in which the superuser alice is signed in; CSRF tokens are asked for."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_superuser("alice", password="a password"))
    return client


@pytest.fixture
def furnished(est_client, device_ca, settings):
    """One row of every kind, with hostile text wherever a client can put some.

    API Gateway has a domain, and a second factor may be set up, so that their pages are there.
    """
    properties = replace(settings.CONFIG.properties, api_custom_domain_name="est.example.com")
    settings.CONFIG = replace(settings.CONFIG, properties=properties)
    settings.EST_ADMIN_SECOND_FACTOR = "optional"
    for index, name in enumerate(("sensor-1", "sensor-2")):
        csr = make_csr(name, key=make_key(index=index))
        est_client.simpleenroll(csr, query="?tenant-id=%3Cscript%3Ealert(2)%3C/script%3E")
    est_client.simplereenroll(make_csr("sensor-9"))
    rows = IssuedCertificate.objects.filter(common_name="sensor-1")
    rows.update(
        subject=HOSTILE[0], san=HOSTILE[1], client_subject=HOSTILE[2], device_serial=HOSTILE[3]
    )
    for number, value in enumerate(HOSTILE):
        deny("name", f"hostile-{number}", reason=value, actor=OPERATOR)
        DenylistEntry.objects.create(kind="name", value=value, reason=value, created_by=value)
        audit_trail.record("refuse-enroll", actor=OPERATOR, target=f"thing:{value}", reason=value)
    PendingHook.objects.create(certificate=rows.get(), last_error=HOSTILE[0])
    make_successor(device_ca, actor=OPERATOR, reason=HOSTILE[1])
    make_crl(device_ca)
    _furnish_aws_iot(rows.get(), device_ca)
    _furnish_work()
    people_rows.add(_somebody(), HOSTILE[:1], device_ca)
    return rows.get()


def _furnish_work():
    """Jobs that may be cancelled or continued, and a truststore that may come back."""
    for state, failed in (("running", 0), ("failed", 1)):
        job = Job.objects.create(
            kind="revoke", parameters={}, state=state, actor=HOSTILE[0], error=HOSTILE[1], total=2,
            failed=failed,
        )  # fmt: skip
        JobLine.objects.create(
            job=job, number=1, subject=HOSTILE[0], state="failed", result=HOSTILE[1]
        )
    for number, text in enumerate(HOSTILE):
        TruststorePush.objects.create(
            domain="est.example.com", uri=text, version_id=f"{number}{text}", sha256="0" * 64,
            certificate_count=1, reason=text, pushed_by=text, activated_at=timezone.now(),
        )  # fmt: skip


def _somebody():
    """The person whose browser opens the pages, if there is one."""
    return User.objects.filter(username="alice").first() or User.objects.create_user("dave")


def _furnish_aws_iot(certificate, device_ca):
    """Rows as AWS, or whoever writes a template, may have filled them."""
    hostile = "\n".join(HOSTILE)
    for number in (1, 2):
        DocumentVersion.objects.create(
            kind="template", name="est_iot_provisioning_template", number=number,
            body=f'{{"Parameters": {number}}}\n{hostile}', reason=HOSTILE[0],
            created_by=HOSTILE[1],
        )  # fmt: skip
    for topic in ("first", "second"):
        version = add_version(
            "policy", POLICY.replace("messages/", f"{topic}/"), actor=OPERATOR, reason=HOSTILE[0]
        )
    DocumentPush.objects.create(
        kind="policy", name=version.name, target="default", version=version, error=HOSTILE[1],
        body_sha256="0" * 64,
        aws_version=HOSTILE[0][:20],
    )  # fmt: skip
    CARegistration.objects.create(
        ca=device_ca, target="default", state="failed", error=HOSTILE[0], note=HOSTILE[2]
    )
    for target, state in (("default", "pending"), ("elsewhere", "parked")):
        Provisioning.objects.create(
            certificate=certificate, target=target, state=state, error=HOSTILE[0],
            note=HOSTILE[1], thing_name=HOSTILE[2],
        )  # fmt: skip


@pytest.fixture
def pages(alice, furnished):
    """Every address below /admin/ that a crawler reaches, with its answer."""
    return crawled(alice)


@pytest.fixture
def kinds(alice, furnished):
    """One address of each kind that a crawler reaches, with its answer."""
    found = crawled(alice, told_apart_by=kind_of)
    assert not_opened(html(found)) <= NOT_BY_LINKS
    return found


def crawled(browser, *, told_apart_by=str):
    """Each address that links lead to, with its answer; of those that are not told apart, one."""
    seen, known, waiting = {}, set(), ["/admin/"]
    while waiting:
        address = waiting.pop()
        if told_apart_by(address) in known:
            continue
        known.add(told_apart_by(address))
        response = browser.get(address)
        seen[address] = response
        if "text/html" in response.get("Content-Type", ""):
            for link in re.findall(r'(?:href|action)="([^"]*)"', response.text):
                target = urlsplit(urljoin(address, link.replace("&amp;", "&")))
                query = f"?{target.query}" if _is_new_page(target) else ""
                if target.path.startswith("/admin/") and target.path != "/admin/logout/":
                    waiting.append(target.path + query)
        elif response.status_code == 302:
            waiting.append(response["Location"])
    return seen


def _is_new_page(target):
    """A search, a filter or a prefilled form is a page of its own; their combinations aren't."""
    name, _, rest = target.query.partition("=")
    return name in {"q", "status", "kind", "serial", "waiting"} and (
        "&" not in rest or rest.startswith("name&value=")
    )


def contents():
    """A digest of each table, but for sessions (signing in writes one)."""
    digests = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table != "django_session":
                cursor.execute(f'SELECT * FROM "{table}"')
                rows = sorted(map(repr, cursor.fetchall()))
                digests[table] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return digests


def html(pages):
    return {
        address: page
        for address, page in pages.items()
        if "text/html" in page.get("Content-Type", "")
    }
