"""Dry run of an enrollment: what each rule says, and the certificate that would result.

Each step calls the function that an enrollment calls. Nothing is signed and nothing is written:
the steps that would do so, a hook's and the signer's, are named as not asked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cryptography import x509
from django.utils import timezone

from estserver.enrollment.hooks import has_post_hook, has_pre_hook, installed_hook
from estserver.est.parsers import decode_csr
from estserver.tools.asking_client import AskingClient
from estserver.tools.csr_steps import CSR_STEPS, ReadCSR
from estserver.tools.verdicts import Outcome, Verdict
from iotprov.provisioning.desired_state import Mode
from iotprov.provisioning.impossible_things import obstacle_of_subject, uses_template
from pki.exceptions import PKIError
from pki.issuance.client_authentication import Client
from pki.issuance.judgement import STEPS, Judgement, Step, begin
from pki.issuance.record_intent import planned_intent
from pki.issuance.request import EnrollmentRequest, Operation
from pki.issuance.unsigned import unsigned_certificate
from pki.models import IssuedCertificate
from pki.record.snapshot import ProfileSnapshot, current_snapshot
from pki.signers import get_signer


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a CSR as a client would send it, the client, the operation and the label."""

    csr: bytes
    """Base64, PEM or DER, as ``simpleenroll`` takes it."""
    client: AskingClient
    operation: Operation = Operation.ENROLL
    label: str = ""
    profile: ProfileSnapshot | None = None
    """A profile that is not saved, in place of the label's."""


@dataclass(slots=True)
class DryRun:
    """The answer, filled in step by step."""

    verdicts: list[Verdict] = field(default_factory=list)
    certificate: x509.Certificate | None = None
    """What would be signed. Only its signed part means anything (``unsigned_certificate``)."""
    earlier: IssuedCertificate | None = None
    """The certificate that the same request got before, and would get again."""

    @property
    def is_granted(self) -> bool:
        """Whether the server would answer with a certificate."""
        return not any(verdict.outcome is Outcome.REFUSED for verdict in self.verdicts)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON values, with what would be signed in hex."""
        certificate = self.certificate
        return {
            "granted": self.is_granted,
            "steps": [verdict.as_json() for verdict in self.verdicts],
            "to_be_signed": certificate.tbs_certificate_bytes.hex() if certificate else None,
            "earlier_certificate": self.earlier.fingerprint_sha256 if self.earlier else None,
        }


def dry_run(question: Question) -> DryRun:
    """Return what the server would answer now, and why.

    Raises ``OperatorError`` for a client that cannot be found, and ``Busy`` or a database error as
    every look at the record does.
    """
    run = _Run(question)
    for name, take in run.steps():
        if not run.answer.is_granted:
            run.answer.verdicts.append(Verdict(name, Outcome.NOT_REACHED))
            continue
        try:
            found = take()
        except PKIError as refused:
            found = _refusal(name, refused)
        run.answer.verdicts.append(found if isinstance(found, Verdict) else _ok(name, found))
    return run.answer


def _ok(name: str, finding: str) -> Verdict:
    return Verdict(name, Outcome.OK, finding)


def _refusal(name: str, refused: PKIError) -> Verdict:
    return Verdict(
        name, Outcome.REFUSED, refused.message, refused.reason.code, refused.reason.advice
    )


class _Run:
    """One dry run: what earlier steps found, for later ones."""

    profile: ProfileSnapshot
    client: Client
    csr: ReadCSR
    judged: Judgement
    subject: x509.Name
    """The subject of the certificate that the client would get."""

    def __init__(self, question: Question) -> None:
        self.question = question
        self.answer = DryRun()
        self.snapshot = current_snapshot()

    def steps(self) -> Iterator[tuple[str, Callable[[], str | Verdict]]]:
        """Yield the steps of an enrollment in their order."""
        yield "profile", self._profile
        yield "client", self._client
        yield "parse", self._parse
        for name in CSR_STEPS:
            yield name, partial(self._part_of_csr, name)
        yield "hook", self._hook
        for step in STEPS:
            yield step.name, partial(self._rule, step)
        yield "certificate", self._certificate
        yield "signer", self._signer
        yield "thing", self._thing

    def _profile(self) -> str:
        if self.question.profile is not None:
            self.profile = self.question.profile
            return f"These settings issue from {self.profile.row.ca}."
        self.profile = profile = self.snapshot.profile(self.question.label)
        label = f"the label {self.question.label!r}" if self.question.label else "no label"
        return f"With {label}, the profile is {profile.row}, which issues from {profile.row.ca}."

    def _client(self) -> str:
        self.client = self.question.client.authenticate(self.snapshot)
        kind = "a device" if self.client.is_device else "a client"
        found = f"{self.client.subject} is {kind} of the CA {self.client.authority}."
        if self.question.client.is_only_named:
            found += (
                " It is only named, so rules about its certificate (an entry of the denylist, the "
                "holder of the name, a quota) were asked of one that is not on record."
            )
        return found

    def _parse(self) -> str:
        der = decode_csr(self.question.csr)
        self.csr = ReadCSR.read(der, self.profile.rules)
        return f"The CSR is PKCS #10 of {len(der)} bytes."

    def _part_of_csr(self, name: str) -> str:
        return self.csr.finding(name)

    def _hook(self) -> str | Verdict:
        hook, operation = installed_hook(), self._request().operation
        if not has_pre_hook(hook, operation):
            return "No hook of this installation is asked before."
        return Verdict(
            "hook",
            Outcome.NOT_ASKED,
            f"{type(hook).__name__}.pre_{operation} may refuse the request. A dry run does not "
            "run it, because it may change something.",
        )

    def _request(self) -> EnrollmentRequest:
        assert self.csr.checked is not None  # noqa: S101  # a rejected one ends the run before
        return EnrollmentRequest(
            csr=self.csr.checked,
            client=self.client,
            profile=self.profile,
            operation=self.question.operation,
        )

    def _rule(self, step: Step) -> str:
        if step is STEPS[0]:
            self.judged = begin(self._request(), timezone.now())
        step.check(self.judged)
        return step.passed(self.judged)

    def _certificate(self) -> str:
        found, answer = self.judged, self.judged.answer
        if answer is not None and answer.state != IssuedCertificate.State.INTENT:
            self.answer.earlier, self.subject = answer, answer.to_x509().subject
            return (
                f"The same request was answered at {answer.created_at:%Y-%m-%d %H:%M:%S} UTC. It "
                f"gets that certificate again, with the serial number {answer.serial_number}."
            )
        intent = planned_intent(found)
        row, self.subject = intent.row, intent.subject
        self.answer.certificate = unsigned_certificate(intent, found.request)
        word = "renewal" if row.operation == Operation.REENROLL else "first certificate"
        return (
            f"A {word} for {row.common_name}, from {row.not_before:%Y-%m-%d %H:%M} to "
            f"{row.not_after:%Y-%m-%d %H:%M} UTC. Its serial number is random: the one shown is an "
            "example."
        )

    def _signer(self) -> Verdict:
        ca = self.profile.authority.row
        finding = f"The signer {ca.signer!r} has the key of {ca}."
        if get_signer(ca.signer).chooses_serial_number:
            finding = (
                f"The signer {ca.signer!r} is a PKI outside. It chooses the serial number, and may "
                "choose other contents or refuse."
            )
        hook = installed_hook()
        if has_post_hook(hook, self.judged.request.operation):
            finding += f" Afterwards {type(hook).__name__} runs."
        advice = "manage.py doctor says whether it can sign."
        return Verdict("signer", Outcome.NOT_ASKED, finding, advice=advice)

    def _thing(self) -> str | Verdict:
        mode = self.profile.row.iot_provisioning
        if mode == Mode.NONE:
            return "The profile does not provision in AWS IoT."
        if self.judged.request.operation == Operation.REENROLL:
            return "The device keeps its thing, to which the new certificate is attached."
        if not uses_template(mode):
            return "A provisioning template that this server does not keep makes the thing."
        if reason := obstacle_of_subject(self.subject):
            return Verdict(
                "thing",
                Outcome.WARNING,
                f"AWS IoT makes no thing of it: {reason}",
                advice="Correct the CSR's subject, or the template (sync_template).",
            )
        when = "at once" if mode == Mode.REGISTER else "at its first connection"
        return f"AWS IoT makes a thing of it {when}, by the provisioning template in force."
