"""Device certificates: what AWS IoT lists of our CAs, against the record."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from uuid import UUID

from django.utils import timezone

from iotprov.conf import IoTTarget
from iotprov.documents.versions import body_for, body_in_force
from iotprov.drift.attachments import attachment_differences
from iotprov.drift.differences import MENDED_BY_REPAIR, Difference, Direction, Kind
from iotprov.drift.expected import ABSENT, Expected, Record
from iotprov.drift.listing import CHUNK, Listed, Listing, listed_pages, new_listing
from iotprov.drift.paced import PacedRegistry
from iotprov.models import CARegistration, DocumentVersion, Provisioning
from iotprov.provisioning.desired_state import Mode
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
from pki.models.certificate import IssuedCertificateQuerySet
from pki.operators.errors import RemoteFailure

State = IssuedCertificate.State

_GETS_IN = frozenset({ACTIVE, PENDING_ACTIVATION})


def certificate_differences(target: IoTTarget, *, deep: bool = False) -> Iterator[Difference]:
    """Compare the certificates of our device CAs; the alarming differences come first.

    AWS's list says which there are, and their statuses, 250 a call. Only with ``deep`` is each
    asked for its things and policies: two calls a certificate, about eight certificates a second.
    One that should be there and isn't listed is asked for by itself before anything is claimed.

    Raises ``RemoteFailure`` when something couldn't be looked at, after all that could;
    ``DocumentError`` when the template in force is needed and can't be used.
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
        started = timezone.now()
        failure = self._fill(listing)
        for status in sorted(_GETS_IN):
            for chunk in listing.chunks(status=status):
                unfit = _revoked_or_unknown(chunk)
                yield from (one for one in self._compare_listed(unfit) if one.is_alarming)
        for chunk in listing.chunks():
            for one in self._compare_listed(chunk):
                if not one.is_alarming:
                    yield one
        if failure is not None:  # who isn't listed may be on a page that we didn't get
            raise failure
        yield from self._compare_unlisted(listing, started)
        if self.deep:
            for chunk in listing.chunks():
                yield from self._look_deeper(chunk)

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

    def _look_deeper(self, chunk: list[Listed]) -> Iterator[Difference]:
        listed_by_id = {one.certificate_id: one for one in chunk}
        for expected in self._expected(chunk):
            listed = listed_by_id[expected.certificate.fingerprint_sha256 or ""]
            if expected.is_told and not expected.is_under_way(listed.listed_at):
                yield from attachment_differences(
                    self.target.name, expected, listed, self._paced, self._plan
                )

    def _expected(self, chunk: list[Listed]) -> Iterator[Expected]:
        ids = [one.certificate_id for one in chunk]
        found = _with_profiles(IssuedCertificate.objects.filter(fingerprint_sha256__in=ids))
        return self.record.expected(list(found))

    def _unknown(self, listed: Listed) -> Difference:
        ca = self._cas[listed.ca_certificate_id]
        is_alarming = listed.status in _GETS_IN and ca.is_every_certificate_recorded
        advice = "find out whose it is; if nobody means it, set it INACTIVE in AWS IoT"
        if is_alarming:
            advice = f"every certificate of {ca} is on record, so who signed this one? {advice}"
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
                advice="AWS IoT can't change that: delete it there, and it is registered anew",
                certificate_id=certificate.pk,
            )

    # What AWS doesn't list

    def _compare_unlisted(
        self, listing: Listing, started: datetime.datetime
    ) -> Iterator[Difference]:
        for ids in _ids_on_record(started):
            missing = listing.missing(ids)
            if not missing:
                continue
            found = _with_profiles(IssuedCertificate.objects.filter(fingerprint_sha256__in=missing))
            for expected in self.record.expected(list(found)):
                if ABSENT not in expected.statuses(self._template_status):
                    yield from self._compare(expected, self._ask(expected), started)

    def _ask(self, expected: Expected) -> str:
        """The status of one that isn't listed: a list may lag, or it is under another CA."""
        certificate_id = expected.certificate.fingerprint_sha256 or ""
        held = self._paced.ask(partial(_find, certificate_id))
        return held.status if held else ABSENT

    # Both

    def _compare(
        self, expected: Expected, theirs: str, looked_at: datetime.datetime
    ) -> Iterator[Difference]:
        certificate = expected.certificate
        is_alarming = certificate.state == State.REVOKED and theirs in _GETS_IN
        if not expected.is_told:
            if is_alarming:
                yield self._difference(
                    expected,
                    REVOKED,
                    theirs,
                    is_ours=False,
                    is_alarming=True,
                    advice="its profile says that AWS IoT isn't told: revoke it there yourself",
                )
            return
        fit = expected.statuses(self._template_status)
        if theirs in fit:
            return
        if theirs == REVOKED and fit != (ABSENT,):
            yield self._difference(
                expected,
                fit[0],
                theirs,
                is_ours=False,
                advice="we never undo that: revoke it here too, or enroll the device anew",
            )
        elif expected.is_under_way(looked_at):
            advice = "the outbox is at it"
            yield self._difference(
                expected, fit[0], theirs, advice=advice, is_alarming=is_alarming, is_under_way=True
            )
        else:
            advice = _advice(expected.row)
            yield self._difference(expected, fit[0], theirs, advice=advice, is_alarming=is_alarming)

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
        """Our device CAs, by the ids that AWS IoT may have for them."""
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


def _revoked_or_unknown(chunk: list[Listed]) -> list[Listed]:
    ids = [one.certificate_id for one in chunk]
    fit = (
        IssuedCertificate.objects.filter(fingerprint_sha256__in=ids)
        .exclude(state=State.REVOKED)
        .values_list("fingerprint_sha256", flat=True)
    )
    known = set(fit)
    return [one for one in chunk if one.certificate_id not in known]


def _ids_on_record(started: datetime.datetime) -> Iterator[list[str]]:
    """The certificates that AWS IoT may have to know, ``CHUNK`` at a time."""
    signed = (State.ISSUED, State.SUPERSEDED, State.REVOKED)
    certificates = (
        IssuedCertificate.objects.filter(
            state__in=signed, not_after__gt=started, issued_at__lte=started
        )
        .exclude(fingerprint_sha256=None)
        .exclude(profile=None)
        .exclude(profile__iot_provisioning=Mode.NONE)
        .order_by("pk")
        .values_list("pk", "fingerprint_sha256")
    )
    after = certificates
    while rows := list(after[:CHUNK]):
        yield [fingerprint for _, fingerprint in rows if fingerprint]
        after = certificates.filter(pk__gt=rows[-1][0])


def _with_profiles(certificates: IssuedCertificateQuerySet) -> IssuedCertificateQuerySet:
    return certificates.select_related("profile").defer("csr_der")


def _advice(row: Provisioning | None) -> str:
    if row is None or not row.error:
        return MENDED_BY_REPAIR
    return f"the outbox has failed at it ({row.error}): mend that, and {MENDED_BY_REPAIR}"
