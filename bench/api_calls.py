"""Every GET of the management API that answers with rows, with each of its filters.

Files are left out, because they are of any length. A test compares the calls with all addresses.
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from bench.console import Page

OWNER = "api"

Call = tuple[str, dict[str, Any]]
"""A path below ``/api/v1/``, and its filters."""


def api_pages() -> Iterator[Page]:
    """Yield each call as a page."""
    for path, filters in calls():
        query = urlencode(filters)
        name = path if "/" not in path else f"{path.partition('/')[0]} {path.rpartition('/')[2]}"
        said = f"{name}: {', '.join(map(str, filters))}" if filters else name
        if "status" in filters or "state" in filters:
            said += f" {filters.get('status') or filters['state']}"
        yield Page(OWNER, said, f"/api/v1/{path}{'?' if query else ''}{query}")


def calls() -> Iterator[Call]:
    """Yield the calls. Some filters have values of a row on record."""
    from pki.models import CertificateAuthority, Job

    yield from _lists_of_certificates()
    yield from _lists_of_denials_and_devices()
    job = Job.objects.order_by("pk").last()
    yield "jobs", {}
    yield "jobs", {"state": "finished"}
    yield "jobs", {"kind": "revoke"}
    if job is not None:
        yield f"jobs/{job.pk}", {}
        yield f"jobs/{job.pk}/lines", {}
        yield f"jobs/{job.pk}/lines", {"state": "failed"}
    ca = CertificateAuthority.objects.device().order_by("pk")[0]
    yield "cas", {}
    yield f"cas/{ca.name}", {}
    yield "profiles", {}
    yield "profiles/default", {}
    yield "profiles/default/versions", {}
    for kind in ("policy", "template"):
        yield f"documents/{kind}", {}
        yield f"documents/{kind}/versions", {}
    yield "targets", {}
    yield "outbox", {}
    yield from (("outbox", {"state": state}) for state in ("settled", "pending", "parked"))
    for path in ("token", "hooks", "webhooks", "messages", "truststore", "truststore/pushes"):
        yield path, {}
    yield "messages", {"state": "delivered"}
    yield "overview", {}
    yield "notices", {}


def _lists_of_certificates() -> Iterator[Call]:
    from pki.models import CertificateAuthority, IssuedCertificate

    row = IssuedCertificate.objects.exclude(client_fingerprint="").order_by("pk").last()
    if row is None:
        raise ValueError("There is no certificate on record. Enroll one first.")
    ca = CertificateAuthority.objects.device().order_by("pk")[0]
    for filters in (
        *({"status": word} for word in ("active", "expiring", "expiring-90", "expired")),
        *({"status": word} for word in ("superseded", "revoked", "intent", "void")),
        {},
        {"operation": "enroll"},
        {"operation": "reenroll", "status": "active"},
        {"ca": ca.name},
        {"profile": "default"},
        {"label": ""},
        {"made": "7-days"},
        {"ends_from": "2020-01-01"},
        {"ends_to": "2090-01-01", "status": "revoked"},
        {"q": row.common_name[:4]},
        {"q": row.serial_number},
        {"q": row.fingerprint_sha256 or row.key_sha256},
        {"client": row.client_fingerprint},
        {"address": "192.0.2.1"},
    ):
        yield "certificates", filters
    signed = IssuedCertificate.objects.filter(state="issued").order_by("pk").last()
    if signed is not None:
        yield f"certificates/{signed.fingerprint_sha256}", {}
    for filters in (
        {},
        {"kind": "refusals"},
        {"kind": "operators"},
        {"who": "system"},
        {"from": "2020-01-01"},
        {"to": "2090-01-01", "reason": "device-denied"},
        {"actor": "root"},
        {"address": "192.0.2.1"},
        {"q": row.serial_number},
    ):
        yield "audit", filters


def _lists_of_denials_and_devices() -> Iterator[Call]:
    from pki.devices.states import DeviceState
    from pki.models import DenylistEntry, IssuedCertificate

    row = IssuedCertificate.objects.exclude(client_fingerprint="").order_by("pk").last()
    entry = DenylistEntry.objects.order_by("pk").last()
    name = row.common_name if row is not None else "no-such-device"
    yield "denylist", {}
    yield "denylist", {"in_force": True}
    yield "denylist", {"kind": "name"}
    yield "denylist", {"q": name[:4]}
    if entry is not None:
        yield f"denylist/{entry.pk}", {}
    yield "devices", {}
    yield from (("devices", {"state": state.slug}) for state in DeviceState)
    yield "devices", {"beginning": name[:4]}
    yield f"devices/{name}", {}
