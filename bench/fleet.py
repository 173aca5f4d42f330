"""The rows that a fleet leaves: certificates in every state, their trail, denials, outbox and jobs.

Row ``n`` is a function of ``n``, so that a million of them need no memory, a later row knows what
an earlier one says, and two databases of one size have the same names. What is indexed is as
various as in real life: names, serial numbers, fingerprints and hashes are unlike each other,
identifiers and times ascend, and one factory certificate enrolls most of the fleet.

The DER is that of one certificate that was really issued, and hashes of the trail are random: this
is for measuring, not for using (``audit_verify`` says so).
"""

import datetime
import hashlib
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from typing import Any

AGE = datetime.timedelta(days=500)
"""How long ago the first certificate was issued. So more than a quarter have expired."""

VALIDITY = datetime.timedelta(days=365)

RENEWED_AFTER = 0.6
"""The part of ``AGE`` after which a device renews: 300 days."""

KINDS_OF_THINGS = ("sensor",) * 7 + ("Gateway",) * 2 + ("camera",)
CHAIN_LENGTH = 1000
"""Rows of the audit trail in a chain: a thread's, until its process ends."""

MOST_INTENTS = 20
MOST_DENIED = 10_000
MOST_PROVISIONED = 100_000
MOST_LINES = 10_000
JOBS = 200
HOOKS = 200

Values = dict[str, Any]


@cache
def _place(what: str) -> int:
    return zlib.crc32(what.encode()) % 64


@lru_cache(maxsize=1 << 12)  # what rows say of each other, and a row of itself
def _digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def digest(what: str, number: int) -> str:
    """Return 64 hex digits that belong to ``what`` of row ``number``.

    They are the same digits for all of a row, from another place on. A hash each takes too long.
    """
    digits, place = _digest(number), _place(what)
    return digits[place:] + digits[:place]


@lru_cache(maxsize=1 << 12)
def _draw(number: int) -> int:
    """Return what decides the fate of row ``number``, from 0 to 999."""
    return int(digest("fate", number)[:8], 16) % 1000


def _identifier(at: datetime.datetime, what: str, number: int) -> str:
    """Return an identifier as `pki.models.fields.new_identifier` makes them, of the time ``at``."""
    digits = digest(what, number)
    return f"{int(at.timestamp() * 1000):012x}7{digits[:3]}8{digits[3:18]}"


@dataclass(frozen=True)
class Fleet:
    """The history of ``count`` certificates, in the image of one that was enrolled here."""

    count: int
    template: Any
    """The certificate whose columns hold wherever a row says nothing else."""
    events: tuple[Any, ...]
    """Its rows of the audit trail, the oldest first."""
    authorities: tuple[str, ...]
    """Primary keys in hex of the device CAs, the oldest first. Each signed an equal part."""
    profiles: tuple[tuple[str, str], ...]
    """Primary keys in hex, and names, of profile versions. The first has most certificates."""
    target: str
    opening: int
    """The newest opening of a chain of the trail."""
    now: datetime.datetime = field(default_factory=lambda: datetime.datetime.now(datetime.UTC))

    # What a certificate is

    @cached_property
    def _lag(self) -> int:
        return max(int(self.count * RENEWED_AFTER), 1)

    @cached_property
    def intents(self) -> int:
        """How many of the newest rows are intents."""
        return min(MOST_INTENTS, self.count // 50)

    def _is_renewal(self, number: int) -> bool:
        before = number - self._lag
        return before >= 0 and _draw(number) % 10 < 8 and _draw(before) >= 30

    def state(self, number: int) -> str:
        """Return the state: 1 % void, 2 % revoked, superseded where it was renewed, else issued."""
        if number >= self.count - self.intents:
            return "intent"
        if _draw(number) < 10:
            return "void"
        if _draw(number) < 30:
            return "revoked"
        later = number + self._lag
        if later < self.count and self._is_renewal(later):
            return "superseded" if self.state(later) in ("issued", "revoked") else "issued"
        return "issued"

    def _device(self, number: int) -> int:
        return number - self._lag if self._is_renewal(number) else number

    def thing(self, number: int) -> str:
        """Return the thing name."""
        device = self._device(number)
        kind = KINDS_OF_THINGS[_draw(device) % len(KINDS_OF_THINGS)]
        return f"{kind}-{digest('thing', device)[:12]}"

    def serial_number(self, number: int) -> str:
        """Return the certificate's serial number: 19 octets, of which the first is not zero."""
        return f"5{digest('serial', number)[:37]}"

    def device_serial(self, number: int) -> str:
        """Return the device's serial number."""
        return f"SN:{int(digest('thing', self._device(number))[:10], 16):012}"

    def issued_at(self, number: int) -> datetime.datetime:
        """Return when the certificate was asked for."""
        return self.now - AGE * (1 - number / self.count)

    def _ca(self, number: int) -> str:
        return self.authorities[number * len(self.authorities) // self.count]

    def _profile(self, number: int) -> tuple[str, str]:
        device = self._device(number)
        if len(self.profiles) == 1 or _draw(device) % 10:
            return self.profiles[0]
        return self.profiles[1 + device % (len(self.profiles) - 1)]

    # The rows

    def certificates(self) -> Iterator[Values]:
        """Yield the certificates, the oldest first."""
        return map(self.certificate, range(self.count))

    def certificate(self, number: int) -> Values:
        """Return what makes certificate ``number`` different from the template."""
        state, name, is_renewal = self.state(number), self.thing(number), self._is_renewal(number)
        is_recorded, is_signed = state != "void", state not in ("void", "intent")
        profile, profile_name = self._profile(number)
        issued = self.issued_at(number)
        client, client_signed = self._client(number)
        is_holder = is_recorded and not is_renewal
        key = digest("key", number)
        serial = self.device_serial(number)
        before = number - self._lag
        return {
            "id": self._certificate_id(number),
            "state": state,
            "operation": "reenroll" if is_renewal else "enroll",
            "ca_id": self._ca(number),
            "profile_id": profile,
            "predecessor_id": self._certificate_id(before) if is_renewal else None,
            "serial_number": self.serial_number(number),
            "common_name": name,
            "name_folded": name.casefold(),
            "device_serial": serial,
            "serial_folded": serial.casefold(),
            "subject": f"CN={name}",
            "key_sha256": key,
            "not_before": issued.replace(microsecond=0),
            "not_after": issued.replace(microsecond=0) + VALIDITY,
            "der": self.template.der if is_signed else None,
            "fingerprint_sha256": digest("fingerprint", number) if is_signed else None,
            "name_owner": name.casefold() if is_holder else None,
            "key_owner": key if is_recorded else None,
            "current_name": f"{profile_name}:{name.casefold()}" if state == "issued" else None,
            "request_key": digest("request", number) if is_recorded else None,
            "client_fingerprint": client,
            "client_signed_sha256": client_signed,
            "holder_fingerprint": client if is_holder else "",
            "holder_signed_sha256": client_signed if is_holder else "",
            "holder_name_sha256": self.template.holder_name_sha256 if is_holder else "",
            "new_name_of": client_signed if is_holder else None,
            "source_ip": f"198.51.{_draw(number) % 100}.{number % 250 + 1}",
            "request_id": self._request_id(number),
            "created_at": issued,
            "issued_at": issued if is_signed else None,
            "superseded_at": self.issued_at(number + self._lag) if state == "superseded" else None,
            "revoked_at": self._revoked_at(number) if state == "revoked" else None,
            "revocation_reason": "keyCompromise" if state == "revoked" else "",
        }

    def _certificate_id(self, number: int) -> str:
        return _identifier(self.issued_at(number), "certificate", number)

    def _request_id(self, number: int) -> str:
        return str(uuid.UUID(hex=digest("request id", number)[:32]))

    def _revoked_at(self, number: int) -> datetime.datetime:
        return min(self.issued_at(number) + datetime.timedelta(days=30), self.now)

    def _client(self, number: int) -> tuple[str, str]:
        """Return fingerprint and signed part: a device's own, a factory's, or another factory's."""
        if self._is_renewal(number):
            before = number - self._lag
            return digest("fingerprint", before), digest("signed", before)
        if _draw(number) % 10 < 8:
            return self.template.client_fingerprint, self.template.client_signed_sha256
        return digest("factory", 2), digest("factory, signed", 2)

    def audit_events(self) -> Iterator[Values]:
        """Yield the trail: of each certificate, of revocations, refusals, denials and jobs."""
        for place, said in enumerate(self._said()):
            chain, position = divmod(place, CHAIN_LENGTH)
            yield {
                "id": _identifier(said["at"], "event", place),
                "chain": digest("chain", chain)[:32],
                "position": position,
                "opening": None if position else self.opening + 1 + chain,
                "previous_hash": digest("hash", place - 1),
                "hash": digest("hash", place),
                **said,
            }

    def _said(self) -> Iterator[Values]:
        later = self.events[1:]
        denied = max(self.count // max(self.denied, 1), 1)
        for number in range(self.count):
            state, at = self.state(number), self.issued_at(number)
            said = {
                "at": at,
                "actor": f"client:{self._client(number)[0]}",
                "target": f"certificate:{self.serial_number(number)}",
                "request_id": self._request_id(number),
            }
            yield said  # the first of ``events`` is an intent
            if state not in ("intent", "void"):
                yield from (
                    said | {"action": event.action, "after": event.after} for event in later
                )
            operator = {"actor": f"admin:operator-{number % 5}", "at": at, "request_id": ""}
            if state == "revoked":
                yield said | operator | {"action": "revoke", "reason": "stolen from the warehouse"}
            if _draw(number) % 20 == 0:
                target, reason = f"thing:{self.thing(number)}", "device-denied: it is on it"
                yield said | {"action": "refuse-enroll", "target": target, "reason": reason}
            if number % denied == 0:
                yield operator | {"action": "deny", "target": f"name:{self.thing(number)}"}

    @property
    def denied(self) -> int:
        """How many entries the denylist has."""
        return min(self.count // 10, MOST_DENIED)

    def denylist_entries(self) -> Iterator[Values]:
        """Yield entries of every kind, most of which name a certificate."""
        for place in range(self.denied):
            number = place * self.count // self.denied
            at = self.issued_at(number)
            kind, value = (
                *(("name", self.thing(number).casefold()),) * 12,
                *(("device-serial", self.device_serial(number).casefold()),) * 3,
                *(("key", digest("key", number)),) * 2,
                ("serial", self.serial_number(number)),
                ("fingerprint", digest("fingerprint", number)),
                ("client", digest("fingerprint", number)),
            )[place % 20]
            is_ending = place % 7 == 0
            yield {
                "id": _identifier(at, "entry", place),
                "kind": kind,
                # A name or device serial number that was denied before has its entry already.
                "value": value if self._device(number) == number else digest("denied", place),
                "signed_sha256": digest("signed", number) if place % 20 > 17 else None,
                "reason": "stolen from the warehouse",
                "created_by": f"admin:operator-{place % 5}",
                "created_at": at,
                "expires_at": at + datetime.timedelta(days=400) if is_ending else None,
            }

    def provisionings(self) -> Iterator[Values]:
        """Yield the outbox of the newest certificates: 97 % settled, 0.1 % parked."""
        first = max(self.count - MOST_PROVISIONED, 0)
        for number in range(first, self.count):
            if self.state(number) in ("intent", "void"):
                continue
            at, draw = self.issued_at(number), int(digest("outbox", number)[:8], 16) % 1000
            state = "parked" if draw == 0 else "pending" if draw < 30 else "settled"
            is_failing = draw < 15
            waits = at if number < self.count - 1000 else self.now
            later = self.now + datetime.timedelta(days=draw)
            due = {"parked": None, "pending": waits, "settled": later if draw % 5 == 0 else None}
            yield {
                "id": _identifier(at, "provisioning", number),
                "certificate_id": self._certificate_id(number),
                "target": self.target,
                "state": state,
                "attempts": draw if is_failing else 0,
                "next_attempt_at": due[state],
                "error": "ThrottlingException: Rate exceeded" if is_failing else "",
                "aws_certificate_id": digest("fingerprint", number),
                "aws_status": "ACTIVE" if state == "settled" else "",
                "thing_name": self.thing(number) if state == "settled" else "",
                "created_at": at,
                "pending_since": waits if state == "pending" else None,
                "settled_at": at if state == "settled" else None,
            }

    def jobs(self) -> Iterator[Values]:
        """Yield jobs that are over, of which the first is large."""
        for number in range(JOBS):
            at = self.now - AGE * (1 - number / JOBS)
            total = self._lines(number)
            yield {
                "id": _identifier(at, "job", number),
                "kind": "revoke",
                "parameters": {"reason": "superseded"},
                "state": ("finished", "finished", "cancelled", "failed")[number % 4],
                "actor": f"admin:operator-{number % 5}",
                "created_at": at,
                "ended_at": at,
                "total": total,
                "done": total,
                "position": total,
            }

    def job_lines(self) -> Iterator[Values]:
        """Yield the lines of the jobs."""
        for number in range(JOBS):
            at = self.now - AGE * (1 - number / JOBS)
            for line in range(self._lines(number)):
                yield {
                    "id": _identifier(at, f"line {number}", line),
                    "job_id": _identifier(at, "job", number),
                    "number": line + 1,
                    "subject": self.serial_number(line),
                    "state": "done",
                    "result": "revoked",
                }

    def _lines(self, job: int) -> int:
        return min(self.count, 50 if job else MOST_LINES)

    def pending_hooks(self) -> Iterator[Values]:
        """Yield post hooks that failed, of some of the newest certificates."""
        for number in range(max(self.count - HOOKS, 0), self.count):
            if self.state(number) not in ("intent", "void"):
                at = self.issued_at(number)
                yield {
                    "id": _identifier(at, "hook", number),
                    "certificate_id": self._certificate_id(number),
                    "attempts": 3,
                    "last_error": "the inventory does not answer",
                    "created_at": at,
                    "next_attempt_at": self.now,
                }
