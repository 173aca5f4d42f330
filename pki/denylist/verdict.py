"""Answer "would this be refused, and by which rule", for the page and the command `deny_check`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pki.csr.thing_names import fold_name
from pki.denylist.entries import certificates_concerned, entries_naming
from pki.denylist.identifiers import CertificateIdentifiers, RequestIdentifiers
from pki.denylist.kinds import KINDS, find_kind
from pki.models import DenylistEntry, IssuedCertificate
from pki.operators.errors import OperatorError
from pki.search.pasted import read_pasted
from pki.search.terms import MOST_CHARACTERS, Term


@dataclass(frozen=True, slots=True)
class Denial:
    """An entry in force that refuses the request, and how."""

    entry: DenylistEntry
    refused: str
    """The sentence that the device gets, without the operator's reason."""
    live: int
    """How many live certificates the entry concerns."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "kind": self.entry.kind,
            "value": self.entry.value,
            "reason": self.entry.reason,
            "expires_at": self.entry.expires_at and self.entry.expires_at.isoformat(),
            "refused": self.refused,
            "live_certificates": self.live,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether what was asked about would be refused."""

    asked: tuple[str, ...]
    """What the text was taken for, in words."""
    denials: tuple[Denial, ...]
    """The entries that match. The first one decides what the device is told."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "is_refused": bool(self.denials),
            "asked": list(self.asked),
            "denials": [denial.as_json() for denial in self.denials],
        }


def denylist_verdict(typed: str) -> Verdict:
    """Return whether the denylist refuses a name, number, digest, or pasted certificate or CSR.

    The same look as an enrollment's answers. Nothing is written. Raises ``OperatorError`` for an
    empty or too long text, a private key, and PEM that cannot be read.
    """
    asked, requests = _requests(typed)
    found: dict[Any, DenylistEntry] = {}
    for request in requests:
        for entry in entries_naming(request):
            found.setdefault(entry.pk, entry)
    order = [kind.value for kind in KINDS]
    entries = sorted(found.values(), key=lambda entry: order.index(entry.kind))
    return Verdict(tuple(asked), tuple(_denial(entry) for entry in entries))


def _denial(entry: DenylistEntry) -> Denial:
    kind = find_kind(entry.kind)
    return Denial(
        entry,
        f"{kind.reason.code}: The denylist names this {kind.refused}.",
        certificates_concerned(entry.kind, entry.value).live().count(),
    )


def _requests(typed: str) -> tuple[list[str], list[RequestIdentifiers]]:
    """Return what the text is taken for, and the requests that it stands for."""
    pasted = read_pasted(typed)
    if pasted is not None:
        client = CertificateIdentifiers(
            common_name=pasted.common_name,
            key_sha256=pasted.key_sha256,
            fingerprint=pasted.fingerprint,
            serial_number=pasted.serial_number,
            device_serial=pasted.device_serial,
            signed_sha256=pasted.signed_sha256,
        )
        own = RequestIdentifiers(pasted.common_name, pasted.device_serial, pasted.key_sha256)
        with_client = replace(own, client=client) if pasted.fingerprint else own
        return [f"{pasted.what} of {pasted.common_name or 'no name'}"], [
            with_client,
            *_on_record(IssuedCertificate.objects.filter(key_sha256=pasted.key_sha256)),
        ]
    term = Term.parse(typed)
    if not term.text or len(term.text) > MOST_CHARACTERS or "\0" in term.text:
        raise OperatorError(
            f"The text has {len(term.text)} characters. Give a name, a serial number, a SHA-256, a "
            "device's serial number, or a certificate or CSR as PEM."
        )
    if term.sha256:
        client = CertificateIdentifiers(fingerprint=term.sha256)
        rows = IssuedCertificate.objects.filter(fingerprint_sha256=term.sha256)
        return [f"the SHA-256 {term.sha256} of a key, certificate or client"], [
            RequestIdentifiers("", key_sha256=term.sha256, client=client),
            *_on_record(rows),
        ]
    asked = [f"the name or device serial number {term.common_name}"]
    requests = [
        RequestIdentifiers(term.common_name, device_serial=term.text),
        *_on_record(IssuedCertificate.objects.filter(name_owner=fold_name(term.common_name))),
        *_on_record(
            IssuedCertificate.objects.for_name(term.common_name).filter(
                state=IssuedCertificate.State.ISSUED
            )
        ),
    ]
    if numbers := term.serial_numbers:
        asked.append(f"the serial number {' or '.join(numbers)}")
        requests += [
            RequestIdentifiers("", client=CertificateIdentifiers(serial_number=number))
            for number in numbers
        ]
        requests += _on_record(IssuedCertificate.objects.filter(serial_number__in=numbers))
    return asked, requests


_MOST_ROWS = 20


def _on_record(rows: Any) -> Sequence[RequestIdentifiers]:
    """Return what the devices of rows would show, as themselves and by the client they have."""
    found = rows.defer("der", "csr_der").order_by()[:_MOST_ROWS]
    return [
        request
        for row in found
        for request in (RequestIdentifiers.of_device(row), RequestIdentifiers.of_renewal(row))
    ]
