"""What a profile that is not saved would make of a sample request: certificate and thing.

The sample is a CSR that a person pasted, or one that meets the settings and asks for no more. A dry
run answers it, so the rules and the contents are those of an enrollment. No key of the installation
signs, nothing is written, and AWS is not asked.
"""

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from estserver.est.parsers import decode_csr
from estserver.tools.asking_client import AskingClient
from estserver.tools.dry_run import DryRun, Question, dry_run
from iotprov.documents.versions import Kind, body_in_force
from iotprov.exceptions import DocumentError
from iotprov.json_text.placeholders import with_examples
from iotprov.provisioning.impossible_things import uses_template
from iotprov.template.planned_thing import PlannedThing, plan_for_subject
from pki.choices import IdentityRule, SANRule
from pki.csr.check import check_csr
from pki.csr.key_algorithms import KEY_ALGORITHMS
from pki.csr.public_keys import generate_private_key
from pki.csr.reading import parse_csr
from pki.csr.subjects import common_name_in_text
from pki.csr.thing_names import fold_name, shown
from pki.encoding.reading import UNREADABLE
from pki.exceptions import CSRRejected
from pki.models import CertificateProfile, IssuedCertificate
from pki.models.profile import EVERY_CLIENT_CA
from pki.operators.errors import OperatorError
from pki.record.snapshot import CASnapshot, ProfileSnapshot, current_snapshot

CLIENT: Final = "sample-client"
DEVICE: Final = "sample-device"

_MOST_NAMES = 100
"""Names of an allow list, and clients on record, that are looked at."""

_NO_CERTIFICATE_YET = "0" * 64
"""In place of the certificate's ID in AWS IoT, which only a signed certificate has."""


@dataclass(frozen=True, slots=True)
class ProfilePreview:
    """The answer to the sample."""

    client: str
    """The common name of the client that sends it."""
    answer: DryRun
    note: str
    """A sentence on the sample that a person should know; "" for none."""
    thing: PlannedThing | None
    """What AWS IoT would make of the certificate by the template in force, if anything."""


def preview_profile(row: CertificateProfile, *, csr: str = "", client: str = "") -> ProfilePreview:
    """Return what ``row``, which is not saved, would make of a CSR in PEM or of a sample.

    ``client`` is the common name of the client that sends it. Raises ``OperatorError`` when no
    sample can be made, with what a person has to give.
    """
    snapshot = current_snapshot()
    # Step 1: who asks, and for which name.
    row, note = _with_a_free_name(row)
    profile = snapshot.in_force_with(row)
    client = client or _client_for(profile, csr)
    # Step 2: the request, and what an enrollment would answer.
    content = csr.encode() if csr else _sample_csr(profile, _name_for(profile, client))
    asking = AskingClient(name=client, authority=_client_ca(row, snapshot))
    answer = dry_run(Question(content, asking, label=row.label, profile=profile))
    # Step 3: the thing.
    return ProfilePreview(client, answer, note, _thing(row, answer))


def _with_a_free_name(row: CertificateProfile) -> tuple[CertificateProfile, str]:
    """Return the profile with a name on its allow list that no client has enrolled yet."""
    if row.identity_rule != IdentityRule.ALLOW_LIST or not row.allowed_names:
        return row, ""
    names = row.allowed_names[:_MOST_NAMES]
    free = _free(names)
    if free:
        others = [name for name in row.allowed_names if name != free]
        row = copy(row)
        row.allowed_names = [free, *others]
        return row, ""
    row = copy(row)
    row.allowed_names = [_free_sample(), *row.allowed_names]
    return row, (
        "The names of the list are enrolled already, so "
        f"{row.allowed_names[0]} stands for one of them."
    )


def _free(names: Iterable[str]) -> str:
    """Return the first name that no client holds; "" if there is none."""
    by_folded = {fold_name(name): name for name in reversed([*names])}
    held = IssuedCertificate.objects.filter(name_owner__in=[*by_folded])
    taken = set(held.values_list("name_owner", flat=True))
    return next((name for key, name in reversed(by_folded.items()) if key not in taken), "")


def _free_sample() -> str:
    names = [DEVICE, *(f"{DEVICE}-{number}" for number in range(2, _MOST_NAMES))]
    return _free(names) or DEVICE


def _client_for(profile: ProfileSnapshot, csr: str) -> str:
    """Return the common name of a client that the identity rule lets have a name."""
    rule = profile.row.identity_rule
    if rule == IdentityRule.SAME_CN:
        return _common_name_of(csr) or _free_sample()
    if rule == IdentityRule.PATTERN:
        rows = IssuedCertificate.objects.exclude(client_subject="").order_by("-id")
        subjects = rows.values_list("client_subject", flat=True)[:_MOST_NAMES]
        names = map(common_name_in_text, subjects)
        return next((name for name in names if profile.granted_name(name)), CLIENT)
    return CLIENT


def _common_name_of(csr: str) -> str:
    try:
        subject = parse_csr(decode_csr(csr.encode())).subject
        found = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (CSRRejected, *UNREADABLE):
        return ""  # the dry run says what is wrong with it
    return str(found[0].value) if found else ""


def _name_for(profile: ProfileSnapshot, client: str) -> str:
    """Return the thing name that the sample asks for."""
    granted = profile.granted_name(client)
    if granted == "":
        raise OperatorError(
            f"The identity pattern finds no thing name in the common name {shown(client)}. Give "
            "the common name of one of your clients as the sample client."
        )
    if granted is None and profile.row.identity_rule == IdentityRule.ALLOW_LIST:
        return next(iter(profile.row.allowed_names), DEVICE)
    return granted or _free_sample()


def _client_ca(row: CertificateProfile, snapshot: CASnapshot) -> str:
    """Return the name of a client CA whose clients may use the profile."""
    trusted = [one.row for one in snapshot.authorities if one.row.purpose == one.row.Purpose.CLIENT]
    for ca in trusted:
        if {ca.name, EVERY_CLIENT_CA} & {*row.client_cas}:
            return ca.name
    raise OperatorError(
        "No client CA that is trusted is named, so no client may use the profile. Tick one."
    )


@cache
def _sample_key(algorithm: str) -> "ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey":
    """Return the key for sample CSRs. A process makes it once, and no page shows it."""
    return generate_private_key(algorithm)


def _sample_csr(profile: ProfileSnapshot, name: str) -> bytes:
    """Return a CSR for a name that meets the settings and asks for no more, in DER.

    It asks for the name as a DNS name too, if the profile lets it. Its key is P-256, if the profile
    takes that.
    """
    row = profile.row
    algorithm = next((one for one in KEY_ALGORITHMS if one in row.key_algorithms), "ec-p256")
    subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
    if row.is_serial_number_required:
        subject.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, "SN-0001"))
    plain = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    builders = [plain]
    if row.san_rule != SANRule.NONE and name.isascii():
        san = x509.SubjectAlternativeName([x509.DNSName(name)])
        builders.insert(0, plain.add_extension(san, critical=False))
    for builder in builders:
        der = builder.sign(_sample_key(algorithm), SHA256()).public_bytes(Encoding.DER)
        try:
            check_csr(der, profile.rules)
        except CSRRejected:
            continue
        return der
    return der  # the dry run says what is wrong with it


def _thing(row: CertificateProfile, answer: DryRun) -> PlannedThing | None:
    if answer.certificate is None or not uses_template(row.iot_provisioning):
        return None
    try:
        body = with_examples(body_in_force(Kind.TEMPLATE))
        return plan_for_subject(body, answer.certificate.subject, lambda: _NO_CERTIFICATE_YET)
    except DocumentError:
        return None  # the dry run says why AWS IoT makes no thing, and checks report a bad template
