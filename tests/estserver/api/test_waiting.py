"""What waits, by the API: the outbox, post hooks, messages of webhooks, and the truststore."""

import json
from dataclasses import replace

import pytest
from django.utils import timezone

from estserver.api.views import webhooks as webhook_views
from estserver.enrollment.pending import add_pending_hook
from estserver.models import IdempotencyKey, Message, TruststorePush, Webhook
from estserver.webhooks.subscriptions import add_webhook
from iotprov.models import Provisioning
from pki.models import AuditEvent, CertificateAuthority, IssuedCertificate, Job
from pki.record.transactions import in_write_transaction
from tests.estserver.api.conftest import TESTER
from tests.support.builders import make_csr

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def behind_gateway(settings):
    """A domain with mutual TLS in the configuration."""
    properties = replace(settings.CONFIG.properties, api_custom_domain_name="est.example.com")
    settings.CONFIG = replace(settings.CONFIG, properties=properties)


NOBODY = "019a0000-0000-7000-8000-000000000000"


@pytest.fixture
def certificate(est_client):
    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 200
    return IssuedCertificate.objects.for_name("sensor-1").get()


def test_a_row_of_the_outbox_is_listed_and_retried_on_the_trail(program, certificate):
    operator, viewer = program("Operator"), program("Viewer")
    row = Provisioning.objects.create(
        certificate=certificate, target="default", state="parked", error="no right"
    )
    path = f"outbox/{row.pk}/retry"

    (listed,) = viewer.get("outbox", state="parked").json()["results"]
    assert (listed["common_name"], listed["error"]) == ("sensor-1", "no right")
    assert viewer.get("outbox", state="pending").json()["results"] == []
    assert viewer.post(path, reason="mended").status_code == 403
    dry = operator.post(path, reason="mended", dry_run=True)
    row.refresh_from_db()
    assert (dry.json()["outcome"], row.state) == ("would-retry", "parked")

    assert operator.post(path, reason="mended", key="k").json()["outcome"] == "due"
    row.refresh_from_db()
    assert (row.state, row.error) == ("pending", "")
    assert operator.post(path, reason="mended", key="k")["Idempotency-Replayed"] == "true"
    event = AuditEvent.objects.get(action="provisioning-retry")
    assert (event.actor, event.reason) == ("admin:operator (token ci)", "mended")
    assert operator.post(f"outbox/{NOBODY}/retry").status_code == 404


def test_hooks_that_wait_are_listed(operator, certificate):
    hook = in_write_transaction(lambda: add_pending_hook(certificate, label=""))
    type(hook).objects.update(attempts=3, last_error="ValueError: no")

    (listed,) = operator.get("hooks").json()["results"]

    assert (listed["serial_number"], listed["attempts"]) == (certificate.serial_number, 3)
    assert (listed["operation"], listed["error"]) == ("enroll", "ValueError: no")


@pytest.fixture
def webhook(installation, settings):
    row, secret = add_webhook(
        "pager", "https://8.8.8.8/a-secret-path", ["certificate.issued"], reason="x", actor=TESTER
    )
    return row, secret


def test_T131_webhooks_are_listed_without_secret_and_path_and_ended(program, webhook):
    (row, secret), officer, operator = webhook, program("CA officer"), program("Operator")
    path = f"webhooks/{row.pk}/end"

    listed = officer.get("webhooks")
    assert listed.json()["results"][0]["host"] == "https://8.8.8.8"
    for hidden in (secret, "a-secret-path", row.secret):
        assert hidden not in listed.content.decode()
    assert operator.post(path, reason="x").status_code == 403
    assert officer.post(path, reason="x", dry_run=True).json()["outcome"] == "would-end"
    assert Webhook.objects.get().ended_at is None

    assert officer.post(path, reason="moved").json()["outcome"] == "ended"
    assert [officer.post(path, reason="x", dry_run=dry).status_code for dry in (True, False)] == [
        409, 409
    ]  # fmt: skip
    assert AuditEvent.objects.get(action="webhook-end").actor == "admin:ca-officer (token ci)"
    assert officer.post(f"webhooks/{NOBODY}/end", reason="x").status_code == 404


def test_T131_no_call_answers_with_a_webhooks_secret(officer, webhook):
    for method, path in (("post", "webhooks"), ("post", f"webhooks/{webhook[0].pk}/rotate")):
        assert officer.send(method, path, {}).status_code in (404, 405)
    assert not hasattr(webhook_views, "add_webhook")
    assert not IdempotencyKey.objects.exists()


def test_a_message_is_listed_and_sent_again(operator, webhook):
    now = timezone.now()
    row = Message.objects.create(
        channel="webhook", webhook=webhook[0], once="a", event="certificate.issued",
        body="{}", state="parked", attempts=9, last_error="refused", give_up_at=now,
    )  # fmt: skip
    by_mail = Message.objects.create(
        channel="email", once="b", event="notice", body="{}", give_up_at=now
    )
    path = f"messages/{row.pk}/again"

    listed = operator.get("messages").json()["results"]
    # Both may be of one millisecond, in which chance has the order.
    assert {one["id"]: one["webhook"] for one in listed} == {
        str(by_mail.pk): None, str(row.pk): "pager"
    }  # fmt: skip
    assert [one["error"] for one in operator.get("messages", state="parked").json()["results"]] == [
        "refused"
    ]
    assert operator.post(path, reason="up again", dry_run=True).json()["outcome"] == "would-send"
    row.refresh_from_db()
    assert row.state == "parked"

    assert operator.post(path, reason="up again").json()["outcome"] == "sent-again"
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("waiting", 0)
    Webhook.objects.update(ended_at=now)
    assert [operator.post(path, reason="x", dry_run=dry).status_code for dry in (True, False)] == [
        409, 409
    ]  # fmt: skip


def test_T27_the_truststore_is_pushed_as_a_job_by_who_may_push_it(program, behind_gateway):
    officer, operator = program("CA officer"), program("Operator")
    terms = {"reason": "second factory", "is_here": True}

    assert operator.post("truststore/push", **terms).status_code == 403
    without = officer.post("truststore/push", reason="x")
    assert (without.status_code, without.json()["errors"][0]["field"]) == (400, "is_here")
    unknown = officer.post("truststore/push", **terms, version="nothing")
    assert unknown.status_code == 404
    assert officer.post("truststore/push", **terms, dry_run=True).json()["job"] is None
    assert not Job.objects.exists()

    pushed = officer.post("truststore/push", **terms, key="k")
    officer.post("truststore/push", **terms, key="k")

    job = Job.objects.get()
    assert (pushed.status_code, pushed.json()["job"]) == (202, str(job.pk))
    assert (job.kind, job.parameters["is_removal_meant"]) == ("truststore", False)
    assert job.actor == "admin:ca-officer (token ci)"


def test_T27_an_earlier_version_comes_back_as_a_job(officer, behind_gateway, settings):
    settings.IS_LAMBDA = True  # there, nobody is asked whose database it is
    TruststorePush.objects.create(
        domain="est.example.com", uri="s3://b/truststore.pem", version_id="v-1", sha256="0" * 64,
        certificate_count=3, reason="roll", pushed_by="alice",
    )  # fmt: skip

    officer.post("truststore/push", reason="a mistake", version="v-1", is_removal_meant=True)

    found = Job.objects.get().parameters
    assert (found["version"], found["is_removal_meant"]) == ("v-1", True)


def test_a_server_without_a_gateway_has_no_truststore_to_push(officer):
    for path, body in (
        ("truststore/push", {"reason": "x", "is_here": True}),
        ("truststore/push", {"reason": "x", "is_here": True, "dry_run": True}),
        ("truststore/compare", {}),
    ):
        answer = officer.post(path, **body)
        assert answer.status_code == 409, path
        assert "apiCustomDomainName" in answer.json()["detail"]
    assert not Job.objects.exists()


def test_what_waits_for_two_persons_has_no_call(officer):
    from estserver.api.routes import ROUTES

    ca = CertificateAuthority.objects.first()
    for word in ("distrust", "retire", "successor"):
        answer = officer.post(f"cas/{ca.name}/{word}", reason="x")
        assert (answer.status_code, answer.json()["code"]) == (404, "api-not-found")
    assert not [route for route, *_ in ROUTES if route.startswith("requests")]
    assert json.loads(officer.get("cas").content)["results"]
