"""A test enrollment: the real EST round trip, with a client certificate made for it.

It goes to the address at which devices reach this installation (``est_address``), and to no other:
nobody who uses the web admin can have this server connect to a place of his choice. What it makes
is labelled on the audit trail, and revoked by ``clean_up``.
"""

import datetime
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from django.utils import timezone

from estserver.operations.est_address import ESTAddress
from estserver.operations.report_rows import Row
from estserver.smoke.device import NewKey
from estserver.smoke.run import SmokeTest
from estserver.smoke.wire import Server
from pki.csr.thing_names import check_common_name, fold_name, shown
from pki.exceptions import CSRRejected
from pki.issuance.client_certificates import sign_client_csr
from pki.models import AuditEvent, IssuedCertificate
from pki.models.profile import LABEL_PATTERN
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction
from pki.revocation.revoke import revoke_certificate

ACTION: Final = "test-enroll"
"""The audit trail's word for the beginning of a test enrollment."""
ENDED: Final = "test-enroll-ended"
"""The same for its end."""

CLIENT_VALIDITY: Final = datetime.timedelta(days=1)
SECONDS: Final = 20
"""The time limit of each connection, so that a page answers before API Gateway gives up."""
REASON: Final = "cessationOfOperation"

State = IssuedCertificate.State


@dataclass(frozen=True, slots=True)
class TimedRow:
    """The outcome of one step, and how long it took."""

    row: Row
    milliseconds: float


@dataclass
class EnrollmentTest:
    """One test, which runs while a caller iterates over ``steps``."""

    address: ESTAddress
    actor: Actor
    name: str = ""
    """The thing name, which must be new; by default ``test-`` and the time."""
    label: str = ""
    is_cn_only: bool = True
    """Whether the CSR asks for the common name alone."""
    is_unreachable: bool = False
    """Whether no answer came, because of the network or of the name."""
    rows: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = self.name or f"test-{timezone.now():%Y%m%d-%H%M%S}"

    @property
    def is_passed(self) -> bool:
        """Whether no step failed."""
        return all(row.level != "FAIL" for row in self.rows)

    def steps(self) -> Iterator[TimedRow]:
        """Yield the outcome of each step. A step that depends on a failed one is left out.

        Raises ``OperatorError`` for a name that is taken or cannot be one, and what
        ``sign_client_csr`` raises.
        """
        self._check()
        with TemporaryDirectory(prefix="est-test-enroll-") as directory:
            for timed in self._steps(Path(directory)):
                self.rows.append(timed.row)
                yield timed

    def _steps(self, directory: Path) -> Iterator[TimedRow]:
        # Step 1: a client certificate, which the profile's identity rule lets have the name.
        started = time.perf_counter()
        key = NewKey(self.name, is_cn_only=True)
        row = sign_client_csr(key.csr_der, validity=CLIENT_VALIDITY, actor=self.actor)
        in_write_transaction(lambda: self._record_begin(row))
        client = key.save(row.to_x509(), directory / "client")
        yield _timed(
            Row("client", "OK", f"The CA {row.ca} signed a client certificate for {self.name}."),
            started,
        )
        # Step 2: what a device does, over mutual TLS.
        server = replace(
            Server.at(self.address.origin, self.address.anchor), label=self.label, seconds=SECONDS
        )
        test = SmokeTest(
            server, client, NewKey(self.name, self.is_cn_only), is_enrollment_only=True
        )
        started = time.perf_counter()
        for step in test.rows():
            yield _timed(step, started)
            started = time.perf_counter()
        self.is_unreachable = test.is_unreachable
        # Step 3: what came of it.
        made = [one.fingerprint for one in test.enrolled]
        in_write_transaction(lambda: self._record_end(made))

    def _check(self) -> None:
        """Refuse a name on record: a test must not supersede a device's certificate."""
        if self.label and not re.fullmatch(LABEL_PATTERN, self.label):
            raise OperatorError(
                f"{shown(self.label)} cannot be a label. Use lower-case letters, digits, '.', '_' "
                "and '-'."
            )
        try:
            check_common_name(self.name)
        except CSRRejected as refused:
            raise OperatorError(refused.message) from refused
        if IssuedCertificate.objects.filter(name_folded=fold_name(self.name)).exists():
            raise OperatorError(
                f"The name {self.name} is on record. Choose a new one for the test."
            )

    def _record_begin(self, client: IssuedCertificate) -> None:
        audit_trail.record(
            ACTION,
            actor=self.actor,
            target=f"thing:{self.name}",
            reason="a test enrollment, no device",
            after={
                "url": self.address.url(self.label),
                "client": client.fingerprint_sha256,
            },
        )

    def _record_end(self, made: list[str]) -> None:
        audit_trail.record(
            ENDED,
            actor=self.actor,
            target=f"thing:{self.name}",
            reason="passed" if self.is_passed else "failed",
            after={"certificates": made},
        )


def _timed(row: Row, started: float) -> TimedRow:
    return TimedRow(row, round(1000 * (time.perf_counter() - started), 1))


def made_by_test(name: str) -> list[IssuedCertificate]:
    """Return the live certificates that test enrollments of ``name`` made, clients' included.

    A certificate is one of them if the test's client enrolled it, or it renews one that is. A
    device that took the name afterwards is not. Raises ``OperatorError`` if there was no such test.
    """
    begun = AuditEvent.objects.filter(action=ACTION, target=f"thing:{name}")
    clients = {str(event.after["client"]) for event in begun if event.after}
    if not clients:
        raise OperatorError(
            f"There was no test enrollment of {name!r}. The audit trail has them as {ACTION}."
        )
    rows = list(
        IssuedCertificate.objects.filter(name_folded=fold_name(name))
        .exclude(fingerprint_sha256=None)
        .defer("csr_der", "der")
        .order_by("id")
    )
    made = set(clients)
    for row in rows:  # by time, so that what a certificate enrolled comes after it
        if row.client_fingerprint in made and row.fingerprint_sha256:
            made.add(row.fingerprint_sha256)
    live = (State.ISSUED, State.SUPERSEDED)
    return [row for row in rows if row.fingerprint_sha256 in made and row.state in live]


def clean_up(name: str, *, actor: Actor) -> list[IssuedCertificate]:
    """Revoke what test enrollments of ``name`` made, and return it. Doing it twice does no harm.

    Raises what ``made_by_test`` raises.
    """
    rows = made_by_test(name)
    for row in reversed(rows):  # the client last, so that a crash leaves what can be found again
        revoke_certificate(row, reason=REASON, actor=actor, comment="test enrollment")
    return rows
