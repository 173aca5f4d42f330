"""The desired state of many certificates at once, by a few SQL statements for all of them.

The result is the same that ``iotprov.provisioning.record_facts`` and
``iotprov.provisioning.desired_state`` give for a single certificate.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils import timezone

from iotprov.drift.heartbeat import beat
from iotprov.drift.listing import CHUNK
from iotprov.models import CARegistration, Provisioning
from iotprov.provisioning.desired_state import DesiredState, Facts, Goal, Mode, desired_state
from iotprov.provisioning.iot_certificates import ACTIVE, INACTIVE, PENDING_ACTIVATION, REVOKED
from pki.denylist.identifiers import RequestIdentifiers
from pki.denylist.kinds import matching_entries
from pki.models import CertificateAuthority, DenylistEntry, IssuedCertificate

ABSENT = ""
"""The status of a certificate that AWS IoT does not know."""

OUTBOX_GRACE = datetime.timedelta(minutes=5)
"""How long the outbox may work on a certificate before the difference counts."""

Named = tuple[str, str]
"""Kind and value of an entry of the denylist."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A certificate on record, its desired state in AWS IoT, and its row of the outbox."""

    certificate: IssuedCertificate  # read with its profile
    desired: DesiredState
    row: Provisioning | None

    @property
    def is_managed(self) -> bool:
        """Return whether this server manages the certificate in AWS IoT."""
        return self.desired.goal is not Goal.NOTHING

    def statuses(self, template_status: str) -> tuple[str, ...]:
        """Return the statuses that agree with the record. Messages name the first of them.

        ``template_status`` is the status that the template gives certificates.
        """
        unknown = () if self.desired.is_registered_if_unknown else (ABSENT,)
        match self.desired.goal:
            case Goal.PROVISIONED:
                return (template_status,)
            case Goal.RENEWED:
                return (ACTIVE, template_status, *((ABSENT,) if self._is_left_to_jitp else ()))
            case Goal.LEFT_TO_JITP:
                return (ACTIVE, PENDING_ACTIVATION, ABSENT)
            case Goal.SUSPENDED:
                # A certificate that another party revoked stays revoked, which suspends it too.
                return (
                    INACTIVE,
                    REVOKED,
                    *unknown,
                    *((ACTIVE,) if self._is_waiting_for_successor else ()),
                )
            case Goal.DETACHED:
                return (INACTIVE, REVOKED, *unknown)
            case Goal.REVOKED:
                return (REVOKED, *unknown)
            case Goal.REMOVED:
                return (ABSENT,)
            case Goal.NOTHING:
                return ()

    @property
    def _is_left_to_jitp(self) -> bool:
        """Return whether it was renewed before the device connected, so that JITP comes later."""
        profile = self.certificate.profile
        return (
            profile is not None
            and profile.iot_provisioning == Mode.JITP
            and self.row is not None
            and self.row.state == Provisioning.State.SETTLED
            and not self.row.aws_certificate_id
        )

    @property
    def _is_waiting_for_successor(self) -> bool:
        """Return whether it stays ACTIVE until its successor is ready (make before break)."""
        row = self.row
        return (
            row is not None
            and row.state == Provisioning.State.SETTLED
            and row.aws_status == ACTIVE
            and row.next_attempt_at is not None
            and row.next_attempt_at > timezone.now()
        )

    def is_under_way(self, read_at: datetime.datetime) -> bool:
        """Return whether the outbox has just begun with it, or settled it after AWS was read."""
        row = self.row
        if row is None:
            return False
        if row.settled_at is not None and row.settled_at >= read_at:
            return True
        since = {
            Provisioning.State.PENDING: row.pending_since,
            Provisioning.State.SETTLED: row.next_attempt_at,
        }.get(Provisioning.State(row.state))
        now = timezone.now()
        return since is not None and now - OUTBOX_GRACE < since <= now


class Record:
    """Reads the record for one target, chunk by chunk."""

    def __init__(self, target_name: str, at: datetime.datetime) -> None:
        self._target_name = target_name
        self._at = at
        registrations = CARegistration.objects.filter(target=target_name)
        self._jitp_ca_ids = frozenset(
            registrations.filter(is_auto_registration_on=True).values_list("ca_id", flat=True)
        )

        stopped = CertificateAuthority.objects.filter(are_certificates_stopped=True)
        self._stopped_ca_ids = frozenset(stopped.values_list("pk", flat=True))

    def expected(self, certificates: Sequence[IssuedCertificate]) -> Iterator[Expected]:
        """Yield the desired state of ``certificates``, at most ``CHUNK``, read with profiles."""
        beat()
        names = {
            one.pk: matching_entries(RequestIdentifiers.of_device(one)) for one in certificates
        }
        denied = _denied(sorted({value for named in names.values() for _, value in named}))
        rows = {
            row.certificate_id: row
            for row in Provisioning.objects.filter(
                target=self._target_name, certificate__in=[one.pk for one in certificates]
            )
        }
        for one in certificates:
            facts = Facts(
                one,
                is_denied=not denied.isdisjoint(names[one.pk]),
                is_ca_stopped=one.ca_id in self._stopped_ca_ids,
                can_be_provisioned_by_aws=one.ca_id in self._jitp_ca_ids or _is_of_jitp(one),
            )
            yield Expected(one, desired_state(facts, self._at), rows.get(one.pk))


def _is_of_jitp(certificate: IssuedCertificate) -> bool:
    profile = certificate.profile
    return profile is not None and profile.iot_provisioning == Mode.JITP


def _denied(values: Sequence[str]) -> set[Named]:
    """The entries in force that have one of ``values``."""
    found: set[Named] = set()
    for start in range(0, len(values), CHUNK):
        entries = DenylistEntry.objects.in_force().filter(value__in=values[start : start + CHUNK])
        found.update(entries.values_list("kind", "value"))
    return found
