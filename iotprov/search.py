"""Find what an operator has in hand in the record of AWS IoT: ARNs, things, registered CAs.

A certificate's ID in AWS IoT is its SHA-256, which `pki.search.find` looks for.
"""

from collections.abc import Iterator

from django.db.models import Q

from iotprov.models import CARegistration, PolicyVersion, Provisioning
from pki.search.findings import MOST_HITS, Hit
from pki.search.terms import Term

_ONE_MORE = MOST_HITS + 1


def find(typed: str) -> Iterator[Hit]:
    """Yield what a term means in the record of AWS IoT. PEM means nothing here."""
    term = Term.parse(typed)
    if not term.text or "\n" in term.text or "\0" in term.text:
        return
    yield from _things(term)
    yield from _registrations(term.arn_of("cacert") or term.sha256 or term.text)
    if policy := term.arn_of("policy"):
        rows = PolicyVersion.objects.filter(name=policy).order_by("-number")
        for version in rows[:1]:
            yield Hit("IoT policy", policy, f"newest version here: {version.number}", version)


def _things(term: Term) -> Iterator[Hit]:
    """Yield devices whose thing has another name than they have, by the template."""
    rows = Provisioning.objects.filter(thing_name=term.common_name).select_related("certificate")
    rows = rows.defer("certificate__der", "certificate__csr_der").order_by()
    for row in rows[:_ONE_MORE]:
        name = row.certificate.common_name
        if name != row.thing_name:
            yield Hit("Device", name, f"the thing {row.thing_name} at {row.target}", is_exact=True)


def _registrations(identifier: str) -> Iterator[Hit]:
    found = Q(certificate_id=identifier) | Q(arn=identifier)
    for row in CARegistration.objects.filter(found).select_related("ca")[:_ONE_MORE]:
        yield Hit("Registered CA", str(row), row.get_state_display(), row, is_exact=True)
