"""An installation as an operator may find it one morning: for screenshots and for the looks."""

import datetime

from django.contrib.auth.models import User
from django.utils import timezone

from estserver.models import PendingHook, TruststorePush
from iotprov.documents.versions import add_version
from iotprov.drift.differences import MENDED_BY_REPAIR, Difference, Direction, Kind
from iotprov.jobs.comparing import FIRST_OF_PART
from iotprov.models import CARegistration, Provisioning
from pki.denylist.entries import deny
from pki.models import CertificateProfile, IssuedCertificate, Job, JobLine
from pki.record.audit_trail import Actor
from pki.revocation.crl import make_crl
from pki.revocation.revoke import revoke_certificate
from tests.iotprov.samples import POLICY, template
from tests.support.builders import make_csr, make_key

DAY = datetime.timedelta(days=1)
ALICE = Actor("admin:alice", source_ip="192.0.2.10")

_LEFT = (2, 5, 12, 20, 25, 40, 48, 60, 75, 88, 100, 130, 160, 190, 220, 240, 260, 290, 310, 330)
"""Days that the certificates of the fleet have left; the last four have expired or are stopped."""


def _compare_with_aws_iot():
    """Add a comparison of the target that is finished, with what it found."""
    job = Job.objects.create(
        kind="drift", parameters={}, state="finished", actor="admin:alice", total=2, done=2
    )
    for number, (part, said) in enumerate(
        [
            ("CAs", "AWS IoT and the record agree."),
            ("certificates", "2 differences, 1 alarming. The results name them."),
        ],
        start=1,
    ):
        JobLine.objects.create(
            job=job, number=number, subject=f"default: {part}", state="done", result=said
        )
    mended = {"is_ours": True, "advice": MENDED_BY_REPAIR}
    for number, (name, ours, theirs, is_alarming) in enumerate(
        [("pump-0024", "REVOKED", "ACTIVE", True), ("pump-0003", "ACTIVE", "INACTIVE", False)]
    ):
        one = Difference(
            "default", Kind.CERTIFICATE, name, ours, theirs, Direction.DIFFERS, **mended,
            is_alarming=is_alarming,
        )  # fmt: skip
        JobLine.objects.create(
            job=job, number=2 * FIRST_OF_PART + number, subject=f"certificate {name}", state="done",
            result=str(one), details={**one.as_json(), "kind": one.kind, "done": ""},
        )  # fmt: skip


def furnish(est_client, device_ca):
    """Add devices in every state, with jobs, refusals and what waits for AWS IoT."""
    now = timezone.now()
    for number, days in enumerate((*_LEFT, -3, -9, 200, 250)):
        name = f"pump-{number + 1:04d}"
        est_client.simpleenroll(make_csr(name, key=make_key(index=number)))
        IssuedCertificate.objects.filter(common_name=name).update(not_after=now + days * DAY)
    stopped = IssuedCertificate.objects.get(common_name="pump-0024")
    revoke_certificate(
        stopped, reason="keyCompromise", comment="Key read out in the field", actor=ALICE
    )
    for name, reason in (("pump-0091", "stolen from the yard"), ("pump-0092", "sold")):
        deny("name", name, reason=reason, actor=ALICE)
        est_client.simpleenroll(make_csr(name))
    est_client.simplereenroll(make_csr("pump-0777"))
    CertificateProfile.objects.update(iot_provisioning="register")
    CARegistration.objects.create(
        ca=device_ca, target="default", state="registered", status="ACTIVE", certificate_id="0" * 64
    )
    for number, (state, error) in enumerate(
        [("pending", ""), ("pending", "ThrottlingException"), ("parked", "The policy is missing.")]
    ):
        certificate = IssuedCertificate.objects.get(common_name=f"pump-{number + 1:04d}")
        Provisioning.objects.create(
            certificate=certificate, target="default", state=state, error=error,
            attempts=1 if error else 0, thing_name=certificate.common_name,
        )  # fmt: skip
    PendingHook.objects.create(
        certificate=stopped, attempts=2, last_error="The inventory did not answer."
    )
    for topic in ("first", "second"):
        add_version("policy", POLICY.replace("messages/", f"{topic}/"), actor=ALICE, reason=topic)
    for fleet in ("pumps", "valves"):
        body = template(thing={"AttributePayload": {"fleet": fleet}})
        add_version("template", body, actor=ALICE, reason=f"the fleet of {fleet}")
    TruststorePush.objects.create(
        domain="est.example.com", uri="s3://est-truststore/truststore.pem", version_id="first",
        sha256="0" * 64, certificate_count=2, reason="first", pushed_by="admin:alice",
        pushed_at=now - DAY, activated_at=now - DAY,
    )  # fmt: skip
    job = Job.objects.create(
        kind="revoke", parameters={}, state="running", actor="admin:alice", total=3, done=1
    )
    for number in range(3):
        JobLine.objects.create(job=job, number=number, subject=f"pump-{number:04d}")
    _compare_with_aws_iot()
    make_crl(device_ca)
    User.objects.create_user("carol", is_staff=True)
