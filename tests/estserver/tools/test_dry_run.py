"""A dry run says what the server would answer, and leaves everything as it is."""

import base64
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AttributeOID

from estserver.enrollment.hooks import EnrollmentHook
from estserver.tools.asking_client import AskingClient
from estserver.tools.csr_steps import CSR_STEPS
from estserver.tools.dry_run import Question, dry_run
from estserver.tools.verdicts import Outcome
from iotprov.documents.versions import add_version
from pki.denylist.entries import deny
from pki.encoding.certificates import is_signed_by
from pki.issuance import judgement
from pki.models import AuditEvent, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.reasons import Reason
from pki.revocation.revoke import revoke_certificate
from pki.signers.keyfile import KeyFileSigner
from tests.conftest import TESTER
from tests.support.builders import make_ca, make_certificate, make_csr, make_key, make_name

Operation = IssuedCertificate.Operation


def pem(certificate):
    return certificate.public_bytes(Encoding.PEM)


def ask(client, csr, **more):
    return dry_run(Question(csr, AskingClient(pem(client.certificate)), **more))


def refused(answer):
    """The step and the code of the refusal, and the steps after it."""
    (index,) = [i for i, one in enumerate(answer.verdicts) if one.outcome is Outcome.REFUSED]
    assert {one.outcome for one in answer.verdicts[index + 1 :]} == {Outcome.NOT_REACHED}
    return answer.verdicts[index].step, answer.verdicts[index].code


def code_of(response):
    return response.text.partition(":")[0] if response.status_code != 200 else None


def nothing(est_client, trust, add_label, change_default_profile):
    return est_client


def deny_the_name(est_client, trust, add_label, change_default_profile):
    deny("name", "sensor-1", reason="stolen", actor=TESTER)
    return est_client


def revoke_the_client(est_client, trust, add_label, change_default_profile):
    row = IssuedCertificate.objects.get(common_name="test-client")
    revoke_certificate(row, reason="superseded", actor=TESTER)
    return est_client


def another_has_the_key(est_client, trust, add_label, change_default_profile):
    est_client.simpleenroll(make_csr("sensor-2"))
    return est_client


def quota_of_one(est_client, trust, add_label, change_default_profile):
    change_default_profile(new_names_ever=1)
    est_client.simpleenroll(make_csr("sensor-2", key=make_key("ec-p256", 7)))
    return est_client


def the_rule_is_same_cn(est_client, trust, add_label, change_default_profile):
    change_default_profile(identity_rule="same-cn")
    return est_client


def renew_within_a_day(est_client, trust, add_label, change_default_profile):
    change_default_profile(reenroll_window_days=1)
    return est_client.using(est_client.simpleenroll(make_csr("sensor-1")).certificate)


def another_label(est_client, trust, add_label, change_default_profile):
    trust(make_ca("Factory B"), "factory-b", at_every_label=False)
    add_label("elsewhere", client_cas=["factory-b"])
    return est_client.at("elsewhere")


def no_such_label(est_client, trust, add_label, change_default_profile):
    return est_client.at("nowhere")


CHALLENGE = [(AttributeOID.CHALLENGE_PASSWORD, b"secret")]
CASES = [
    (nothing, make_csr("sensor-1"), None, None),
    (nothing, b"\x30\x03\x02\x01\x00", "parse", Reason.CSR_MALFORMED),
    (nothing, make_csr("a name"), "subject and names", Reason.COMMON_NAME_NOT_ALLOWED),
    (deny_the_name, make_csr("Sensor-1"), "denylist", Reason.DEVICE_DENIED),
    (revoke_the_client, make_csr("sensor-1"), "client", Reason.CLIENT_CERTIFICATE_REVOKED),
    (another_has_the_key, make_csr("sensor-1"), "key of its own", Reason.KEY_IN_USE),
    (quota_of_one, make_csr("sensor-1"), "quota", Reason.NO_MORE_NEW_NAMES),
    (the_rule_is_same_cn, make_csr("sensor-1"), "identity rule", Reason.NAME_NOT_YOURS),
    (renew_within_a_day, make_csr("sensor-1"), "identity rule", Reason.REENROLL_TOO_EARLY),
    (another_label, make_csr("sensor-1"), "label and CAs", Reason.CLIENT_CA_NOT_ACCEPTED),
    (no_such_label, make_csr("sensor-1"), "profile", Reason.LABEL_UNKNOWN),
]


@pytest.mark.parametrize(
    ("prepare", "csr", "step", "reason"), CASES, ids=[f"{c[0].__name__}-{c[3]}" for c in CASES]
)
def test_a_dry_run_gives_the_reason_that_the_server_gives(
    prepare, csr, step, reason, est_client, trust, add_label, change_default_profile
):
    client = prepare(est_client, trust, add_label, change_default_profile)

    answer = ask(client, csr, label=client.label)

    response = client.simpleenroll(csr)
    assert code_of(response) == (reason.code if reason else None)
    assert answer.is_granted == (reason is None)
    assert reason is None or refused(answer) == (step, reason.code)


def test_every_step_has_a_sentence_and_a_refusal_says_what_to_do(est_client):
    granted = ask(est_client, make_csr("sensor-1"))
    deny("name", "sensor-1", reason="stolen", actor=TESTER)
    answer = ask(est_client, make_csr("sensor-1"))

    assert all(one.finding for one in granted.verdicts)
    (verdict,) = [one for one in answer.verdicts if one.outcome is Outcome.REFUSED]
    assert verdict.advice == Reason.DEVICE_DENIED.advice


def test_the_certificate_is_the_one_that_is_issued_then(est_client):
    csr = make_csr("sensor-1", serial_number="A-1", san=[x509.DNSName("sensor-1")])
    would_be = ask(est_client, csr).certificate

    issued = est_client.simpleenroll(csr).certificate

    assert would_be.subject == issued.subject
    assert would_be.issuer.public_bytes() == issued.issuer.public_bytes()
    assert would_be.public_key() == issued.public_key()
    assert list(would_be.extensions) == list(issued.extensions)
    assert would_be.signature_algorithm_oid == issued.signature_algorithm_oid
    assert len(would_be.tbs_certificate_bytes) == len(issued.tbs_certificate_bytes)
    assert would_be.serial_number != issued.serial_number
    ca = IssuedCertificate.objects.get(common_name="sensor-1").ca.certificate
    assert is_signed_by(issued, ca)
    assert not is_signed_by(would_be, ca)


def test_T90_a_dry_run_writes_no_row_and_asks_no_signer(est_client, contents, monkeypatch):
    est_client.simpleenroll(make_csr("sensor-2", key=make_key("ec-p256", 7)))
    device = est_client.using(est_client.simpleenroll(make_csr("sensor-3")).certificate)
    monkeypatch.setattr(KeyFileSigner, "sign", lambda *_: pytest.fail("a signer was asked"))
    monkeypatch.setattr(KeyFileSigner, "private_key", lambda *_: pytest.fail("the key was read"))
    before = contents()

    granted = ask(est_client, make_csr("sensor-1", key=make_key("ec-p256", 8)))
    renewed = ask(device, make_csr("sensor-3"), operation=Operation.REENROLL)
    ask(est_client, make_csr("sensor-1", key=make_key("ec-p256", 7)))

    assert granted.is_granted
    assert granted.certificate is not None
    assert renewed.is_granted
    assert contents() == before


def test_the_same_request_is_told_that_it_gets_the_same_certificate(est_client):
    csr = make_csr("sensor-1")
    issued = est_client.simpleenroll(csr).certificate

    answer = ask(est_client, csr)

    assert answer.is_granted
    assert answer.earlier.to_x509() == issued
    assert answer.certificate is None


def test_a_signature_that_does_not_verify_is_the_step_signature(est_client):
    broken = bytearray(make_csr("sensor-1"))
    broken[-1] ^= 1

    answer = ask(est_client, bytes(broken))

    assert refused(answer) == ("signature", Reason.PROOF_OF_POSSESSION_FAILED.code)


def test_a_key_that_the_profile_does_not_allow_is_the_step_key(est_client, change_default_profile):
    change_default_profile(key_algorithms=["ec-p384"])

    answer = ask(est_client, base64.b64encode(make_csr("sensor-1")))

    assert refused(answer) == ("key", Reason.KEY_NOT_ALLOWED.code)


def test_a_challenge_password_is_refused_where_the_profile_refuses_it(
    est_client, change_default_profile
):
    change_default_profile(pop_linking="refuse")

    answer = ask(est_client, make_csr("sensor-1", attributes=CHALLENGE))

    assert refused(answer) == ("subject and names", Reason.POP_LINKING_UNVERIFIABLE.code)


def test_a_client_of_a_stranger_is_refused_as_the_server_does(est_client):
    stranger = make_certificate(make_ca("Elsewhere"), "factory")
    client = est_client.using(stranger)

    assert refused(ask(client, make_csr())) == (
        "client",
        code_of(client.simpleenroll(make_csr())),
    )


def test_a_client_can_be_named_by_its_ca_before_it_has_a_certificate(
    client_ca, change_default_profile
):
    change_default_profile(identity_rule="same-cn")
    named = AskingClient(name="sensor-1", authority=client_ca.name)

    answer = dry_run(Question(make_csr("sensor-1"), named))
    other = dry_run(Question(make_csr("sensor-2"), named))

    assert answer.is_granted
    assert "only named" in answer.verdicts[1].finding
    assert refused(other) == ("identity rule", Reason.NAME_NOT_YOURS.code)


def test_a_device_can_be_named_by_its_thing(est_client):
    est_client.simpleenroll(make_csr("sensor-1"))

    answer = dry_run(
        Question(make_csr("sensor-1"), AskingClient(name="SENSOR-1"), operation=Operation.REENROLL)
    )

    assert answer.is_granted
    assert "renew" in answer.verdicts[7].finding


@pytest.mark.parametrize(
    "client", [AskingClient(), AskingClient(name="nobody"), AskingClient(b"-----BEGIN X-----")]
)
def test_a_client_that_cannot_be_found_is_an_error_and_no_verdict(client, installation):
    with pytest.raises(OperatorError):
        dry_run(Question(make_csr(), client))


class Hook(EnrollmentHook):
    """A hook that must not run."""

    def pre_enroll(self, request):
        pytest.fail("a dry run has run the hook")


def test_a_hook_that_may_refuse_is_named_and_not_run(est_client, settings):
    settings.EST_ENROLLMENT_HOOK_CLASS = f"{__name__}.Hook"

    answer = ask(est_client, make_csr("sensor-1"))

    (verdict,) = [one for one in answer.verdicts if one.step == "hook"]
    assert verdict.outcome is Outcome.NOT_ASKED
    assert answer.is_granted


def test_a_subject_of_which_aws_iot_makes_no_thing_is_a_warning(est_client, change_default_profile):
    change_default_profile(iot_provisioning="register")
    template = Path("config/iot_template_with_serial_number.json").read_text()
    add_version("template", template, actor=TESTER, reason="serial numbers")

    without = ask(est_client, make_csr("sensor-1")).verdicts[-1]
    subject = make_name("sensor-1", serial_number="A-1", country="ZZ")
    having = ask(est_client, make_csr(subject=subject)).verdicts[-1]

    assert (without.step, without.outcome) == ("thing", Outcome.WARNING)
    assert "no thing" in without.finding
    assert having.outcome is Outcome.OK


def test_every_reason_of_a_csr_is_of_one_step():
    """A reason that no step names would be shown as a CSR that cannot be read."""
    of_reading = {Reason.BODY_TOO_LARGE, Reason.CSR_MALFORMED, Reason.CSR_TOO_COMPLEX}
    of_record = {Reason.KEY_IN_USE, Reason.KEY_REUSE_REFUSED}
    every = list(Reason)
    of_csr = set(every[: every.index(Reason.CLIENT_CERTIFICATE_MALFORMED)])
    named = [reason for reasons in CSR_STEPS.values() for reason in reasons]

    assert len(named) == len(set(named))
    assert set(named) == of_csr - of_reading - of_record


def test_an_issuance_takes_every_step_that_a_dry_run_shows(est_client, monkeypatch):
    """One table of rules: what a dry run shows is what an enrollment asks, in that order."""
    taken = []
    steps = tuple(
        judgement.Step(
            one.name, lambda j, one=one: (taken.append(one.name), one.check(j)), one.passed
        )
        for one in judgement.STEPS
    )
    monkeypatch.setattr(judgement, "STEPS", steps)
    answer = ask(est_client, make_csr("sensor-2", key=make_key("ec-p256", 7)))
    taken.clear()

    est_client.simpleenroll(make_csr("sensor-1"))

    shown = [one.step for one in answer.verdicts]
    assert taken == [name for name in shown if name in taken]
    assert len(taken) == len(steps)
    assert not AuditEvent.objects.filter(action="refuse-enroll").exists()
