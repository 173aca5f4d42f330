"""Find the rows that share something unique with a request: its name, key, place or repetition."""

from collections.abc import Sequence
from dataclasses import dataclass

from pki.issuance.request import EnrollmentRequest
from pki.models import IssuedCertificate, hot_path_sql


@dataclass(frozen=True, slots=True)
class ConflictingRows:
    """The rows that already have what only one row may have of this request."""

    owner: IssuedCertificate | None
    """The certificate with which the thing name was first enrolled."""
    key_owner: IssuedCertificate | None
    """The certificate with which the public key was first enrolled."""
    current: IssuedCertificate | None
    """The current certificate of the thing name under this profile."""
    same_request: IssuedCertificate | None
    """The intent or certificate of an earlier request with the same idempotency key."""
    client: IssuedCertificate | None
    """The record of the client's certificate as it is in this transaction."""


def look_for_conflicts(request: EnrollmentRequest) -> hot_path_sql.Look:
    """Return the look at every row that shares something unique with the request.

    The client's own row is among them, because it can be revoked after the client was authenticated
    and before this transaction.
    """
    return hot_path_sql.look(
        IssuedCertificate,
        "name_owner = %s OR key_owner = %s OR current_name = %s OR request_key = %s "
        "OR fingerprint_sha256 = %s",
        [
            request.name_folded,
            request.csr.key_sha256,
            request.current_name,
            request.idempotency_key,
            request.client.fingerprint,
        ],
        without=("csr_der",),
    )


def conflicts_among(
    rows: Sequence[IssuedCertificate], request: EnrollmentRequest
) -> ConflictingRows:
    """Return what each of the rows that ``look_for_conflicts`` found has of the request."""
    folded, current = request.name_folded, request.current_name
    key, request_key = request.csr.key_sha256, request.idempotency_key
    client = request.client.fingerprint

    owner = key_owner = of_name = same_request = record = None
    for row in reversed(rows):  # the first row of each kind stays
        owner = row if row.name_owner == folded else owner
        key_owner = row if row.key_owner == key else key_owner
        of_name = row if row.current_name == current else of_name
        same_request = row if row.request_key == request_key else same_request
        record = row if row.fingerprint_sha256 == client else record
    return ConflictingRows(
        owner=owner,
        key_owner=key_owner,
        current=of_name,
        same_request=same_request,
        client=record,
    )
