"""Comparison of device CAs: those that a target should have, and those that only it has."""

from collections.abc import Iterator

from iotprov.authorities import iot_authorities
from iotprov.authorities.ca_registration import check_registrable, desired_registration
from iotprov.authorities.registration import RegisteredCA, differences
from iotprov.conf import IoTTarget
from iotprov.drift.differences import MENDED_BY_REPAIR, Difference, Direction, Kind
from iotprov.models import CARegistration
from pki.csr.subjects import name_text
from pki.models import CertificateAuthority
from pki.operators.errors import OperatorError


def ca_differences(target: IoTTarget) -> Iterator[Difference]:
    """Compare the CAs that ``target`` should have: active ones, and those registered before.

    Raises ``RemoteFailure`` if AWS does not describe one.
    """
    rows = _rows(target)
    for ca in CertificateAuthority.objects.device():
        row = rows.get(ca.pk)
        known_id = row.certificate_id if row else ""
        if ca.status != CertificateAuthority.Status.ACTIVE and not known_id:
            continue
        found = iot_authorities.find_by_id(ca.certificate, target, known_id=known_id)
        yield from _compare(ca, row, found, target)


def foreign_ca_differences(target: IoTTarget) -> Iterator[Difference]:
    """Yield the CAs at ``target`` that are not on record. Raises ``RemoteFailure``."""
    on_record = {ca.certificate for ca in CertificateAuthority.objects.device()}
    for found in iot_authorities.list_registered(target):
        if found.certificate not in on_record:
            yield _foreign(found, target)


def _rows(target: IoTTarget) -> dict[object, CARegistration]:
    return {row.ca_id: row for row in CARegistration.objects.filter(target=target.name)}


def _compare(
    ca: CertificateAuthority,
    row: CARegistration | None,
    found: RegisteredCA | None,
    target: IoTTarget,
) -> Iterator[Difference]:
    def difference(
        ours: str, theirs: str, direction: Direction, *, is_alarming: bool = False
    ) -> Difference:
        is_ours, advice = True, MENDED_BY_REPAIR
        try:
            check_registrable(ca)
        except OperatorError as error:
            is_ours, advice = False, str(error)
        return Difference(
            target.name,
            Kind.CA,
            ca.name,
            ours,
            theirs,
            direction,
            is_ours,
            advice,
            is_alarming=is_alarming,
        )

    # Step 1: whether it is registered, under the ID on record.
    is_untrusted = not ca.is_trusted
    if found is None:
        if not is_untrusted:
            yield difference("registered", "", Direction.HERE_ONLY)
        return
    if row is None or row.certificate_id != found.certificate_id:
        yield difference("", f"registered as {found.certificate_id}", Direction.AWS_ONLY)

    # Step 2: how it is registered. A distrusted or retired CA that is still ACTIVE is an alarm.
    for one in differences(found, desired_registration(ca)):
        yield difference(
            f"{one.what} {one.desired}",
            f"{one.what} {one.found}",
            Direction.DIFFERS,
            is_alarming=is_untrusted,
        )


def _foreign(found: RegisteredCA, target: IoTTarget) -> Difference:
    subject = name_text(found.certificate.subject) if found.certificate else "an unreadable CA"
    jitp = "its devices can register themselves" if found.is_auto_registration_on else "no JITP"
    return Difference(
        target.name,
        Kind.CA,
        found.certificate_id,
        "",
        f"{subject}, {found.status}, {jitp}",
        Direction.AWS_ONLY,
        is_ours=False,
        advice="It is not a device CA of this server. Unless it is there on purpose, set it "
        "INACTIVE in AWS IoT and delete it there.",
    )
