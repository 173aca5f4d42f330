"""Find what an operator has in hand in the record of the CA, by indexes.

Two forms have no index, since each index costs every enrollment: a SHA-1, and an IP address. They
are looked for among the newest rows, and the answer says so.
"""

from collections.abc import Iterator, Sequence

from django.db.models import Q, QuerySet

from pki.models import (
    AuditEvent,
    CertificateAuthority,
    CertificateProfile,
    DenylistEntry,
    IssuedCertificate,
)
from pki.operators.errors import OperatorError
from pki.search.findings import MOST_HITS, Findings, Hit
from pki.search.newest import certificates_with_sha1, newest
from pki.search.pasted import Pasted, read_pasted
from pki.search.terms import MOST_CHARACTERS, Term, hex_starts_with, starts_with

Operation = IssuedCertificate.Operation

_CERTIFICATE = "certificate:"
_THING = "thing:"
"""Precede a serial number and a name in the target of an audit event."""

_ONE_MORE = MOST_HITS + 1


def find(typed: str, *, walks_everything: bool = False) -> Findings:
    """Return what a term or a pasted text means on record.

    ``walks_everything`` looks for a SHA-1 in the whole record, which takes a second for some
    100,000 certificates. Raises ``OperatorError`` for a private key, for PEM that cannot be read,
    and for a text that is too long.
    """
    pasted = read_pasted(typed)
    if pasted is not None:
        return _find_pasted(pasted)
    term = Term.parse(typed)
    if len(term.text) > MOST_CHARACTERS or "\0" in term.text:
        raise OperatorError(
            f"The search term has {len(term.text)} characters. Use at most {MOST_CHARACTERS}, "
            "without NUL, or paste PEM."
        )
    return _find_term(term, walks_everything) if term.text else Findings()


def _find_pasted(pasted: Pasted) -> Findings:
    """Return the rows of a certificate itself, or else those of its key."""
    found = Findings([f"{pasted.what} in PEM, with the key {pasted.key_sha256}"])
    if pasted.fingerprint:
        found.understood.append(f"the SHA-256 {pasted.fingerprint}")
        _add_digest(found, pasted.fingerprint)
    if not found.hits:
        _add_digest(found, pasted.key_sha256)
    if not found.hits and pasted.common_name:
        found.understood.append(f"the name {pasted.common_name}")
        found.add(_devices(Term(pasted.common_name), is_whole=True))
    if not found.hits:
        found.advice.append(
            f"This server has never seen {pasted.what} with this key. It may be of another "
            "installation, or it was never sent here."
        )
    return found


def _find_term(term: Term, walks_everything: bool) -> Findings:
    found = Findings()
    # Step 1: what only one form can be.
    if term.is_common_name:
        found.understood.append(f"the name {term.common_name}")
        found.add(_devices(term))
        found.add(_entries(starts_with("value", term.name), except_for=found))
        return _with_advice(found)
    if term.address:
        return _with_advice(_find_address(term.address))
    if term.sha256:
        found.understood.append(f"the SHA-256 {term.sha256} of a certificate, key or client")
        _add_digest(found, term.sha256)
        return _with_advice(found)
    # Step 2: serial numbers, whole ones first.
    if term.serial_numbers:
        found.understood.append(f"the serial number {' or '.join(term.serial_numbers)}")
        found.add(_certificates(Q(serial_number__in=term.serial_numbers)))
        found.add(_authorities(Q(serial_number__in=term.serial_numbers)))
        found.add(_entries(Q(value__in=term.serial_numbers), except_for=found))
    if not found.hits and term.serial_beginning:
        found.understood.append(f"the beginning {term.serial_beginning} of a serial number")
        found.add(_certificates(hex_starts_with("serial_number", term.serial_beginning)))
    # Step 3: a request, then names of every kind.
    found.understood.append(f"the id {term.request_id} of a request")
    found.add(_of_request(term.request_id))
    if term.request_id == term.text:
        found.understood.append(
            f"the name {term.text}, or its beginning, and the serial number of a device"
        )
        _add_names(found, term)
    # Step 4: what has no index, if nothing else is meant.
    if not found.hits and term.sha1:
        _add_sha1(found, term.sha1, walks_everything)
    return _with_advice(found)


def _with_advice(found: Findings) -> Findings:
    if not found.hits:
        found.advice.append(
            "Nothing on record matches. Use the beginning of a name, at least six hexadecimal "
            "digits of a serial number, a whole SHA-256, ARN or request id, or paste a "
            "certificate, CSR or public key."
        )
    return found


def _add_digest(found: Findings, sha256: str) -> None:
    """Add what a SHA-256 names: a certificate, the certificates of a key, those of a client."""
    found.add(_certificates(Q(fingerprint_sha256=sha256), is_exact=True))
    found.add(_certificates(Q(key_sha256=sha256)))
    found.add(_authorities(Q(fingerprint_sha256=sha256) | Q(key_sha256=sha256)))
    found.add(_certificates(Q(client_fingerprint=sha256), "Enrolled by this client"))
    found.add(_entries(Q(value=sha256), except_for=found))


def _add_names(found: Findings, term: Term) -> None:
    found.add(_devices(term))
    found.add(_devices_of_serial(term.device_serial))
    found.add(_authorities(Q(name__istartswith=term.text)))
    found.add(
        Hit("Profile", f"{row.name}, version {row.version}", f"label: {row.label or 'none'}", row)
        for row in CertificateProfile.objects.exclude(active_label=None).filter(
            Q(name__istartswith=term.text) | Q(label=term.text)
        )[:_ONE_MORE]
    )
    found.add(_entries(starts_with("value", term.name), except_for=found))


def _add_sha1(found: Findings, sha1: str, walks_everything: bool) -> None:
    found.understood.append(f"the SHA-1 {sha1}")
    keys, looked_at_all = certificates_with_sha1(sha1, walks_everything=walks_everything)
    found.add(_certificates(Q(pk__in=keys), is_exact=True))
    if not found.hits and not looked_at_all:
        found.advice.append(
            "A SHA-1 is compared with the newest certificates only. `manage.py find` with --all "
            "compares all of them; `openssl x509 -fingerprint -sha256` prints what is found at "
            "once."
        )


def _find_address(address: str) -> Findings:
    """Return the newest certificates and events from an address."""
    found = Findings([f"the source address {address}"])
    certificates, all_of_them = newest(IssuedCertificate)
    found.add(_certificates(certificates & Q(source_ip=address), "Asked for from this address"))
    events, all_events = newest(AuditEvent)
    refusals = Q(source_ip=address, action__startswith="refuse-")
    found.add(_events(events & refusals))
    if not (all_of_them and all_events):
        found.advice.append(
            "An address is looked for in the newest certificates and events only. The request log "
            "has all of them."
        )
    return found


# The rows behind a hit


def _certificates(
    condition: Q, kind: str = "Certificate", *, is_exact: bool = False
) -> Iterator[Hit]:
    rows = IssuedCertificate.objects.filter(condition).defer("der", "csr_der").order_by()
    for row in sorted(rows[:_ONE_MORE], key=lambda row: row.pk, reverse=True):
        yield Hit(
            kind,
            f"{row.common_name} ({row.serial_number})",
            f"{row.get_state_display()}, valid until {row.not_after:%Y-%m-%d}",
            row,
            is_exact,
        )


def _devices(term: Term, *, is_whole: bool = False) -> Iterator[Hit]:
    """Yield the devices whose name begins with the term, or is it, and clients of such a name."""
    is_it = Q(name_folded=term.name) if is_whole else starts_with("name_folded", term.name)
    names = IssuedCertificate.objects.filter(is_it).order_by("name_folded")
    found = list(names.values_list("name_folded", flat=True).distinct()[:_ONE_MORE])
    yield from _named(found, term.name)


def _devices_of_serial(serial: str) -> Iterator[Hit]:
    rows = IssuedCertificate.objects.filter(serial_folded=serial).order_by()
    yield from _named(sorted(set(rows.values_list("name_folded", flat=True)[:_ONE_MORE])), "")


def _named(names: Sequence[str], wanted: str) -> Iterator[Hit]:
    """Yield a hit for each name: the device, or the certificate of a client."""
    newest_rows: dict[str, IssuedCertificate] = {}
    rows = IssuedCertificate.objects.filter(name_folded__in=names).defer("der", "csr_der")
    held = {row.name_owner: row for row in rows.filter(name_owner__in=names).order_by()}
    rest = [name for name in names if name not in held]
    for row in rows.filter(name_folded__in=rest).order_by()[: _ONE_MORE * 10] if rest else ():
        known = newest_rows.get(row.name_folded)
        if known is None or known.pk < row.pk:
            newest_rows[row.name_folded] = row
    for name in names:
        holder = held.get(name) or newest_rows.get(name)
        if holder is None:
            continue
        if holder.operation == Operation.CLIENT:
            detail = f"{holder.get_state_display()}, serial number {holder.serial_number}"
            yield Hit("Client certificate", holder.common_name, detail, holder, name == wanted)
        else:
            serial = f"device serial number {holder.device_serial}" if holder.device_serial else ""
            yield Hit("Device", holder.common_name, serial, None, name == wanted)


def _authorities(condition: Q) -> Iterator[Hit]:
    for row in CertificateAuthority.objects.filter(condition)[:_ONE_MORE]:
        yield Hit("CA", row.name, f"{row.get_purpose_display()}, {row.subject}", row)


def _entries(condition: Q, *, except_for: Findings) -> Iterator[Hit]:
    """Yield entries of the denylist, except of what was found: its own page shows these."""
    shown = {hit.title.casefold() for hit in except_for.hits if hit.kind == "Device"}
    if any(hit.kind == "Certificate" for hit in except_for.hits):
        return
    for row in DenylistEntry.objects.filter(condition).order_by()[:_ONE_MORE]:
        if row.value not in shown:
            yield Hit("Denylist entry", str(row), row.reason, row)


def _events(condition: Q) -> Iterator[Hit]:
    rows: QuerySet[AuditEvent] = AuditEvent.objects.filter(condition).order_by()
    for row in sorted(rows[:_ONE_MORE], key=lambda row: row.at, reverse=True):
        yield Hit("Audit event", f"{row.action} {row.target}", row.reason, row)


def _of_request(request_id: str) -> Iterator[Hit]:
    """Yield the certificates and refusals of a request, or all its events if it made none."""
    events = list(_events(Q(request_id=request_id)))
    targets = {getattr(hit.row, "target", "") for hit in events}
    serials = {
        target.removeprefix(_CERTIFICATE) for target in targets if target.startswith(_CERTIFICATE)
    }
    if serials:
        yield from _certificates(Q(serial_number__in=serials, request_id=request_id))
        events = [hit for hit in events if hit.title.startswith("refuse-")]
    yield from events
