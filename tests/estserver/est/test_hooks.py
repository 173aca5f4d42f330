"""The four hooks: what they are told, how they refuse, and what their failures cost."""

import datetime

import pytest
from django.utils import timezone

from estserver.enrollment.hooks import EnrollmentHook, HookRefused, load_hook
from estserver.enrollment.pending import run_pending_hooks
from estserver.models import PendingHook
from pki.models import AuditEvent, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.record.transactions import in_write_transaction
from tests.support.builders import make_csr

CALLS = []


class Recording(EnrollmentHook):
    """Writes down what it is told."""

    def pre_enroll(self, request):
        CALLS.append(("pre_enroll", request, None))

    def post_enroll(self, request, certificate):
        CALLS.append(("post_enroll", request, certificate))

    def pre_reenroll(self, request):
        CALLS.append(("pre_reenroll", request, None))

    def post_reenroll(self, request, certificate):
        CALLS.append(("post_reenroll", request, certificate))


class Refusing(EnrollmentHook):
    """Refuses everything, with a reason."""

    def pre_enroll(self, request):
        raise HookRefused(f"{request.common_name} isn't in the inventory")

    pre_reenroll = pre_enroll


class Crashing(EnrollmentHook):
    """Crashes before anything is issued."""

    def pre_enroll(self, request):
        raise KeyError("inventory-password")

    pre_reenroll = pre_enroll


class Failing(Recording):
    """Crashes afterwards, as long as it is told to."""

    is_broken = True

    def post_enroll(self, request, certificate):
        super().post_enroll(request, certificate)
        if self.is_broken:
            raise ConnectionError("the inventory is away")


class Quitting(EnrollmentHook):
    """Raises something of ours: no more than a failure, afterwards."""

    def post_enroll(self, request, certificate):
        raise HookRefused("too late")


@pytest.fixture
def install(settings):
    """Put a hook class in force."""
    CALLS.clear()
    Failing.is_broken = True

    def put(hook):
        settings.EST_ENROLLMENT_HOOK_CLASS = f"{__name__}.{hook.__name__}"

    yield put
    load_hook.cache_clear()


def names():
    return [name for name, _, _ in CALLS]


def test_all_four_are_called_in_order_and_told_the_same(est_client, install, add_label):
    install(Recording)
    add_label("line-2")
    client = est_client.at("line-2")
    csr = make_csr("sensor-1", serial_number="4711")

    first = client.simpleenroll(csr, query="?tenant-id=acme").certificate
    client.using(first).simplereenroll(csr, query="?tenant-id=acme")

    assert names() == ["pre_enroll", "post_enroll", "pre_reenroll", "post_reenroll"]
    for before, after in (CALLS[:2], CALLS[2:]):
        assert before[1] == after[1]
        assert before[1].common_name == "sensor-1"
        assert before[1].device_serial == "4711"
        assert before[1].csr_der == csr
        assert before[1].label == "line-2"
        assert before[1].tenant_id == "acme"
        assert before[1].source_ip == "192.0.2.10"
        assert before[1].request_id == "11111111-2222-3333-4444-555555555555"
    assert CALLS[1][2].to_x509() == first
    assert CALLS[0][1].client_subject == "CN=test-client"
    assert not PendingHook.objects.exists()


def test_the_tenant_is_on_record_without_what_cannot_be_seen(est_client, install):
    install(Recording)

    est_client.simpleenroll(make_csr("sensor-1"), query="?tenant-id=ac%00me%0a" + "x" * 200)

    row = IssuedCertificate.objects.get(common_name="sensor-1")
    assert row.tenant_id == CALLS[0][1].tenant_id == "acme" + "x" * 96


def test_a_pre_hook_refuses_with_its_own_sentence(est_client, install):
    install(Refusing)
    for send in (est_client.simpleenroll, est_client.simplereenroll):
        response = send(make_csr("sensor-1"))

        assert (response.status_code, response.reason) == (403, "hook-refused")
        assert "sensor-1 isn't in the inventory" in response.text
    assert not IssuedCertificate.objects.filter(common_name="sensor-1").exists()
    assert "inventory" in AuditEvent.objects.order_by("-at").first().reason


def test_a_crash_in_a_pre_hook_answers_503_and_nothing_is_issued(est_client, install, caplog):
    install(Crashing)
    for send in (est_client.simpleenroll, est_client.simplereenroll):
        response = send(make_csr("sensor-1"))

        assert (response.status_code, response.reason) == (503, "hook-failed")
        assert int(response["Retry-After"]) > 0
        assert "inventory-password" not in response.text
    assert "KeyError" in caplog.text
    assert not IssuedCertificate.objects.filter(common_name="sensor-1").exists()


@pytest.mark.parametrize("hook", [Failing, Quitting])
def test_a_crash_in_a_post_hook_costs_the_device_nothing_and_is_on_record(
    est_client, install, hook
):
    install(hook)

    response = est_client.simpleenroll(make_csr("sensor-1"))

    assert response.status_code == 200
    pending = PendingHook.objects.get()
    assert pending.certificate.to_x509() == response.certificate
    assert pending.attempts == 1
    assert pending.last_error.startswith(("ConnectionError: the inv", "HookRefused: "))
    assert pending.next_attempt_at > timezone.now()


def test_a_failed_post_hook_runs_again_when_its_time_has_come(est_client, install, monkeypatch):
    install(Failing)
    est_client.simpleenroll(make_csr("sensor-1"), query="?tenant-id=acme")
    now = timezone.now()

    def at(**later):
        monkeypatch.setattr(timezone, "now", lambda: now + datetime.timedelta(**later))
        return run_pending_hooks()

    assert at(seconds=1) == (0, 0)
    assert at(minutes=2) == (0, 1)
    assert at(minutes=3) == (0, 0)  # twice the pause
    Failing.is_broken = False
    assert at(minutes=10) == (1, 0)
    assert at(minutes=60) == (0, 0)

    assert names().count("post_enroll") == 3
    requests = {request for name, request, _ in CALLS if name == "post_enroll"}
    assert len(requests) == 1
    assert requests.pop().tenant_id == "acme"


def test_pauses_double_up_to_six_hours(est_client, install, monkeypatch):
    install(Failing)
    est_client.simpleenroll(make_csr("sensor-1"))
    pauses = []
    for _ in range(40):
        due = PendingHook.objects.get().next_attempt_at
        monkeypatch.setattr(timezone, "now", lambda due=due: due)
        assert run_pending_hooks() == (0, 1)
        pauses.append(PendingHook.objects.get().next_attempt_at - due)

    assert pauses == sorted(pauses)
    assert pauses[-1] == datetime.timedelta(hours=6)


def test_while_the_request_runs_its_hook_the_schedule_leaves_it_alone(est_client, install):
    class Meanwhile(Recording):
        def post_enroll(self, request, certificate):
            super().post_enroll(request, certificate)
            assert run_pending_hooks() == (0, 0)

    globals()["Meanwhile"] = Meanwhile
    install(Meanwhile)

    est_client.simpleenroll(make_csr("sensor-1"))

    assert names() == ["pre_enroll", "post_enroll"]
    assert not PendingHook.objects.exists()


def test_T18_a_replay_runs_no_post_hook(est_client, install):
    install(Recording)
    csr = make_csr("sensor-1")

    for _ in range(3):
        assert est_client.simpleenroll(csr).status_code == 200

    assert names().count("post_enroll") == 1


def test_a_refused_enrollment_runs_no_post_hook(est_client, install):
    install(Recording)
    est_client.simpleenroll(make_csr("sensor-1"))
    CALLS.clear()

    assert est_client.simpleenroll(make_csr("sensor-2")).status_code == 403  # sensor-1's key

    assert names() == ["pre_enroll"]
    assert not PendingHook.objects.exists()


def test_a_hook_that_somebody_else_settled_costs_nothing_and_does_not_come_back(
    est_client, install
):
    class Away(Recording):
        """Takes the row away, as a second process would that was faster."""

        def post_enroll(self, request, certificate):
            in_write_transaction(PendingHook.objects.all().delete)
            raise ConnectionError

    globals()["Away"] = Away
    install(Away)

    response = est_client.simpleenroll(make_csr("sensor-1"))

    assert response.status_code == 200
    assert not PendingHook.objects.exists()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("nowhere.at.all.Hook", "nowhere.at.all.Hook cannot be imported"),
        ("estserver.hooks.NoSuchThing", "cannot be imported"),
        ("estserver.hooks.HookRequest", "is not a subclass of"),
        ("datetime.datetime", "is not a subclass of"),
    ],
)
def test_a_wrong_hook_class_is_named(path, words):
    with pytest.raises(OperatorError, match=words):
        load_hook(path)
