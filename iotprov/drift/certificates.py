"""Comparison of device certificates: AWS IoT's list for the CAs on record, and the record."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from uuid import UUID

from django.utils import timezone

from iotprov.conf import IoTTarget
from iotprov.documents.versions import body_for, body_in_force
from iotprov.drift.attachments import attachment_differences
from iotprov.drift.certificate_queries import (
    certificates_with_ids,
    ids_on_record,
    revoked_or_unknown,
)
from iotprov.drift.differences import MENDED_BY_REPAIR, Difference, Direction, Kind
from iotprov.drift.expected import ABSENT, Expected, Record
from iotprov.drift.listing import Listed, Listing, listed_pages, new_listing
from iotprov.drift.paced import PacedRegistry
from iotprov.models import CARegistration, DocumentVersion, Provisioning
from iotprov.provisioning.iot_certificates import (
    ACTIVE,
    PENDING_ACTIVATION,
    REVOKED,
    Registry,
    RemoteCertificate,
)
from iotprov.template.planned_thing import PlannedThing, plan_thing
from iotprov.template.reader import parse_template
from pki.models import CertificateAuthority, IssuedCertificate
from pki.operators.errors import RemoteFailure

State = IssuedCertificate.State

_CAN_CONNECT = frozenset({ACTIVE, PENDING_ACTIVATION})
"""The statuses with which a device can connect."""


def certificate_differences(target: IoTTarget, *, deep: bool = False) -> Iterator[Difference]:
    """Compare the certificates of the device CAs on record. Alarming differences come first.

    AWS lists the certificates and their statuses, 250 a call. With ``deep`` the things and policies
    of each are read too, by two calls a certificate: about eight certificates a second. One that
    should be there and is not listed is read by a call of its own before it counts as a difference.

    Raises ``RemoteFailure`` if AWS refused something, after everything else was compared, and
    ``DocumentError`` if the template in force is needed and cannot be used.
    """
    comparison = _Comparison(target, deep, Record(target.name, timezone.now()))
    with new_listing() as listing:
        yield from comparison.run(listing)


@dataclass(frozen=True)
class _Comparison:
    """One run over a target's certificates."""

    target: IoTTarget
    deep: bool
    record: Record

    def run(self, listing: Listing) -> Iterator[Difference]:
        # Step 1: AWS's list, as far as AWS gives it.
        started = timezone.now()
        failure = self._fill(listing)

        # Step 2: alarming certificates, which can only be revoked or unknown ones.
        for status in sorted(_CAN_CONNECT):
            for chunk in listing.chunks(status=status):
                suspects = revoked_or_unknown(chunk)
                yield from (one for one in self._compare_listed(suspects) if one.is_alarming)

        # Step 3: the other certificates of the list.
        for chunk in listing.chunks():
            for one in self._compare_listed(chunk):
                if not one.is_alarming:
                    yield one

        # Step 4: those on record that are not listed. An incomplete list proves nothing of them.
        if failure is not None:
            raise failure
        yield from self._compare_unlisted(listing, started)

        # Step 5: things and policies.
        if self.deep:
            for chunk in listing.chunks():
                yield from self._compare_attachments(chunk)

    def _fill(self, listing: Listing) -> RemoteFailure | None:
        try:
            for ca_certificate_id in self._cas:
                for page in listed_pages(self._paced, ca_certificate_id):
                    listing.add(page)
        except RemoteFailure as failure:
            return failure
        return None

    # What AWS lists

    def _compare_listed(self, chunk: list[Listed]) -> Iterator[Difference]:
        on_record = {one.certificate.fingerprint_sha256: one for one in self._expected(chunk)}
        for listed in chunk:
            expected = on_record.get(listed.certificate_id)
            if expected is None:
                yield self._unknown(listed)
                continue
            yield from self._compare(expected, listed.status, listed.listed_at)
            yield from self._compare_ca(expected, listed)

    def _compare_attachments(self, chunk: list[Listed]) -> Iterator[Difference]:
        listed_by_id = {one.certificate_id: one for one in chunk}
        for expected in self._expected(chunk):
            listed = listed_by_id[expected.certificate.fingerprint_sha256 or ""]
            if expected.is_managed and not expected.is_under_way(listed.listed_at):
                yield from attachment_differences(
                    self.target.name, expected, listed, self._paced, self._plan
                )

    def _expected(self, chunk: list[Listed]) -> Iterator[Expected]:
        ids = [one.certificate_id for one in chunk]
        return self.record.expected(list(certificates_with_ids(ids)))

    def _unknown(self, listed: Listed) -> Difference:
        ca = self._cas[listed.ca_certificate_id]
        is_alarming = listed.status in _CAN_CONNECT and ca.is_every_certificate_recorded
        advice = "Unless it is there on purpose, set it INACTIVE in AWS IoT."
        if is_alarming:
            advice = (
                f"Every certificate of {ca} is on record, and this one is not. Find out who signed "
                f"it. {advice}"
            )
        return Difference(
            self.target.name,
            Kind.CERTIFICATE,
            listed.certificate_id,
            "",
            f"{listed.status}, registered under {ca}",
            Direction.AWS_ONLY,
            is_ours=False,
            advice=advice,
            is_alarming=is_alarming,
        )

    def _compare_ca(self, expected: Expected, listed: Listed) -> Iterator[Difference]:
        certificate, there = expected.certificate, self._cas[listed.ca_certificate_id]
        if certificate.ca_id != there.pk:
            yield Difference(
                self.target.name,
                Kind.CERTIFICATE,
                str(certificate),
                f"of the CA {self._ca_names.get(certificate.ca_id, 'for clients')}",
                f"registered under {there}",
                Direction.DIFFERS,
                is_ours=False,
                advice="AWS IoT cannot change that. Delete it there, and it is registered anew.",
                certificate_id=certificate.pk,
            )

    # What AWS does not list

    def _compare_unlisted(
        self, listing: Listing, started: datetime.datetime
    ) -> Iterator[Difference]:
        for ids in ids_on_record(started):
            missing = listing.missing(ids)
            if not missing:
                continue
            for expected in self.record.expected(list(certificates_with_ids(missing))):
                if ABSENT not in expected.statuses(self._template_status):
                    yield from self._compare(expected, self._status_of(expected), started)

    def _status_of(self, expected: Expected) -> str:
        """Read the status of one that is not listed. The list may lag, or have another CA."""
        certificate_id = expected.certificate.fingerprint_sha256 or ""
        remote = self._paced.ask(partial(_find, certificate_id))
        return remote.status if remote else ABSENT

    # Both

    def _compare(
        self, expected: Expected, theirs: str, read_at: datetime.datetime
    ) -> Iterator[Difference]:
        # Step 1: a certificate that this server does not manage, unless a device may abuse it.
        certificate = expected.certificate
        is_alarming = certificate.state == State.REVOKED and theirs in _CAN_CONNECT
        if not expected.is_managed:
            if is_alarming:
                yield self._difference(
                    expected,
                    REVOKED,
                    theirs,
                    is_ours=False,
                    is_alarming=True,
                    advice="Its profile excludes it from AWS IoT. Revoke it there yourself.",
                )
            return

        # Step 2: the status, and which side has to change.
        agreeing = expected.statuses(self._template_status)
        ours = agreeing[0]
        if theirs in agreeing:
            return
        if theirs == REVOKED and agreeing != (ABSENT,):
            yield self._difference(
                expected,
                ours,
                theirs,
                is_ours=False,
                advice="This server never undoes a revocation. Revoke it here too, or enroll the "
                "device anew.",
            )
        elif expected.is_under_way(read_at):
            advice = "The outbox works on it."
            yield self._difference(
                expected, ours, theirs, advice=advice, is_alarming=is_alarming, is_under_way=True
            )
        else:
            advice = _advice(expected.row)
            yield self._difference(expected, ours, theirs, advice=advice, is_alarming=is_alarming)

    def _difference(
        self,
        expected: Expected,
        ours: str,
        theirs: str,
        *,
        advice: str,
        is_ours: bool = True,
        is_alarming: bool = False,
        is_under_way: bool = False,
    ) -> Difference:
        certificate = expected.certificate
        direction = Direction.DIFFERS
        if ours == ABSENT:
            direction = Direction.AWS_ONLY
        elif theirs == ABSENT:
            direction = Direction.HERE_ONLY
        return Difference(
            self.target.name,
            Kind.CERTIFICATE,
            str(certificate),
            ours,
            theirs,
            direction,
            is_ours,
            advice,
            certificate_id=certificate.pk,
            is_alarming=is_alarming,
            is_under_way=is_under_way,
        )

    @cached_property
    def _paced(self) -> PacedRegistry:
        return PacedRegistry(self.target)

    @cached_property
    def _cas(self) -> dict[str, CertificateAuthority]:
        """Return the device CAs on record, by the ids that AWS IoT may have for them."""
        known: dict[UUID, str] = dict(
            CARegistration.objects.filter(target=self.target.name).values_list(
                "ca_id", "certificate_id"
            )
        )
        return {
            certificate_id: ca
            for ca in CertificateAuthority.objects.device()
            for certificate_id in (known.get(ca.pk), ca.fingerprint_sha256)
            if certificate_id
        }

    @cached_property
    def _ca_names(self) -> dict[UUID, str]:
        return {ca.pk: ca.name for ca in self._cas.values()}

    @cached_property
    def _template_status(self) -> str:
        return parse_template(body_in_force(DocumentVersion.Kind.TEMPLATE)).certificate_status

    @cached_property
    def _template(self) -> str:
        return body_for(DocumentVersion.Kind.TEMPLATE, self.target)

    def _plan(self, certificate: IssuedCertificate) -> PlannedThing:
        return plan_thing(self._template, certificate.to_x509())


def _find(certificate_id: str, registry: Registry) -> RemoteCertificate | None:
    return registry.find(certificate_id)


def _advice(row: Provisioning | None) -> str:
    if row is None or not row.error:
        return MENDED_BY_REPAIR
    return f"The outbox failed at it: {row.error.rstrip('.')}. Correct that. {MENDED_BY_REPAIR}"
