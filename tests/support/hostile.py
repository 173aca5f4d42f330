"""Forty texts that devices, AWS or people may write, and an installation that is full of them."""

import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.contrib.auth.models import Group, User
from django.utils import timezone

from estserver.models import Acknowledgement, PendingHook, TruststorePush
from iotprov.models import CARegistration, DocumentPush, DocumentVersion, Provisioning
from pki.models import CertificateProfile, DenylistEntry, IssuedCertificate, Job, JobLine
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from tests.support.builders import BuiltCA, make_ca, make_certificate, make_csr

TEXTS = (
    # Tags
    "<script>alert(1)</script>",
    "</title><script>alert(2)</script>",
    "<img src=x onerror=alert(3)>",
    "<svg/onload=alert(4)>",
    "</textarea><script>alert(5)</script>",
    "<!--<script>alert(6)//-->",
    "<iframe srcdoc='<script>alert(7)</script>'>",
    "<base href=//example.com/>",
    "<meta http-equiv=refresh content=0>",
    "<style>*{display:none}</style>",
    # Ways out of attributes and scripts
    '"><img src=x onerror=alert(8)>',
    "' onmouseover='alert(9)",
    '" autofocus onfocus="alert(10)',
    "javascript:alert(11)",
    "data:text/html,<script>alert(12)</script>",
    "`${alert(13)}`",
    "\\u003cscript\\u003ealert(14)",
    "&lt;script&gt;alert(15)&lt;/script&gt;",
    "%3Cscript%3Ealert(16)%3C/script%3E",
    # Directions and characters that nobody sees
    "\u202egnp.exe",
    "\u2066left\u2069\u202b right",
    "pump\u200b-\ufeff1",
    "a\x1b[31m\x07\x08b",
    "line one\r\nline two\u2028three",
    "nul\x00byte",
    # Formulas of spreadsheets
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=1+1",
    # Templates and placeholders
    "{{ settings.SECRET_KEY }}",
    "{% debug %}",
    "%(name)s %s {0} ${HOME}",
    # Words that programs take for nothing, and paths
    "null",
    "../../admin/logout/",
    # Long words, many parts, other scripts
    "W" * 64,
    "\N{ZWNJ}" * 20 + "zwnj",
    "\U0001f468\N{ZWJ}\U0001f469\N{ZWJ}\U0001f467\N{ZWJ}\U0001f466" * 2,
    "שלום-جهاز-0042",
    "Ḧ̶̢̛̛̞́̒͌a̴̡̲̅̀̕r̵̛̹d",
)
"""Forty texts of at most 64 bytes, which is the length of a common name (RFC 5280, A.1)."""

_NO_NUL = {"\x00": "\x01"}
"""PostgreSQL stores no NUL in a text."""

ACTOR = Actor("command:hostile")


def stored() -> list[str]:
    """Return the texts as a database stores them."""
    return [text.translate(str.maketrans(_NO_NUL)) for text in TEXTS]


def job() -> Job:
    """Return the job that ``fill`` adds, with a line for each text."""
    return Job.objects.get(kind="drift")


def fill(device_ca) -> None:
    """Add a row of each kind for each text, as far as a database stores it."""
    signer = make_ca("hostile")
    profile = CertificateProfile.objects.get(active_label="")
    for number, text in enumerate(stored()):
        row = _certificate(number, text, device_ca, profile, signer)
        _rows_beside(number, text, row)
    _documents_and_jobs(device_ca)
    _profiles(profile)


def _certificate(number, text, ca, profile, signer: BuiltCA) -> IssuedCertificate:
    """Add a certificate whose name, subject, SAN, client and DER have the text."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, text),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, text),
        ]
    )
    san = [x509.DirectoryName(name)]
    made = make_certificate(signer, subject=name, san=san, certificate_serial=1000 + number)
    der = made.public_bytes(Encoding.DER)
    now = timezone.now()
    return IssuedCertificate.objects.create(
        state="issued", operation="enroll", ca=ca, profile=profile,
        serial_number=f"{1000 + number:x}", common_name=text, name_folded=text.casefold()[:64],
        device_serial=text, serial_folded=text.casefold()[:64], subject=f"CN={text}",
        san=f"DNS:{text}", key_algorithm="ec-p256", key_sha256=_digest("key", number),
        not_before=now, not_after=now + datetime.timedelta(days=3 * number + 1),
        csr_der=make_csr(subject=name, san=san), der=der,
        fingerprint_sha256=hashlib.sha256(der).hexdigest(), name_owner=text.casefold()[:64],
        current_name=f"{text.casefold()[:64]}:default", client_subject=text,
        client_fingerprint=_digest("client", number), tenant_id=text, request_id=text[:36],
        issued_at=now,
    )  # fmt: skip


def _rows_beside(number, text, row) -> None:
    """Add what is beside a certificate: denylist, trail, AWS IoT, hook, person and group."""
    DenylistEntry.objects.create(
        kind="name", value=f"{text[:60]}.{number}", reason=text, created_by=text
    )
    audit_trail.record(
        "refuse-enroll", actor=ACTOR, target=f"thing:{text}", reason=f"denied-name: {text}",
        before={text: text}, after={text: [text]},
    )  # fmt: skip
    Provisioning.objects.create(
        certificate=row, target="default", state="parked", error=text, note=text, thing_name=text
    )
    PendingHook.objects.create(certificate=row, last_error=text, label=text[:40])
    User.objects.create_user(f"{number}{text}", first_name=text, last_name=text, is_staff=True)
    Group.objects.create(name=f"{number}{text}")
    Acknowledgement.objects.create(key=text, severity=1, actor=text, reason=text)


def _documents_and_jobs(device_ca) -> None:
    together = "\n".join(stored())
    for kind in ("template", "policy"):
        for number, text in enumerate(stored(), start=1):
            version = DocumentVersion.objects.create(
                kind=kind, name="hostile", number=number, body=f"{text}\n{together}", reason=text,
                created_by=text,
            )  # fmt: skip
        DocumentPush.objects.create(
            kind=kind, name="hostile", target="default", version=version, error=together[:500],
            body_sha256="0" * 64, aws_version=TEXTS[0][:20],
        )  # fmt: skip
    CARegistration.objects.create(
        ca=device_ca, target="default", state="failed", error=together[:500], note=TEXTS[10]
    )
    job = Job.objects.create(
        kind="drift", parameters={}, state="failed", actor=TEXTS[0], error=together[:1000], total=40
    )
    for number, text in enumerate(stored(), start=1):
        JobLine.objects.create(job=job, number=number, subject=text, state="failed", result=text)
        TruststorePush.objects.create(
            domain=text, uri=text, version_id=f"{number}{text}", sha256="0" * 64,
            certificate_count=1, reason=text, pushed_by=text,
        )  # fmt: skip


def _profiles(profile) -> None:
    """Add a version of a profile for each text, of which the last is in force."""
    last = len(TEXTS)
    for number, text in enumerate(stored(), start=1):
        CertificateProfile.objects.create(
            name="hostile", version=number, label="hostile",
            active_label="hostile" if number == last else None, ca=profile.ca,
            identity_pattern=text, allowed_names=[text], client_cas=[text],
        )  # fmt: skip


def _digest(what: str, number: int) -> str:
    return hashlib.sha256(f"{what}{number}".encode()).hexdigest()
