"""What waits: certificates for AWS IoT by target, and the truststore for its next push."""

import datetime
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from estserver.console.overview.figures import Figure
from estserver.models import TruststorePush
from iotprov.conf import iot_settings
from iotprov.models import Provisioning
from pki.models import CertificateAuthority

State = Provisioning.State


@dataclass(frozen=True, slots=True)
class Waiting:
    """The certificates that one target of AWS IoT does not have as it should."""

    target: str
    pending: Figure
    failing: Figure
    parked: Figure
    since: datetime.datetime | None
    """Since when the oldest pending row waits."""
    error: str
    """One of the errors, or ""."""

    @property
    def age(self) -> datetime.timedelta:
        """How long the oldest pending row has waited."""
        if self.since is None:
            return datetime.timedelta()
        return max(timezone.now() - self.since, datetime.timedelta())


def read_waiting() -> list[Waiting]:
    """Return one for each target of the configuration, and for others that rows name.

    Only rows that are not settled are read, by an index. They are few while AWS IoT answers.
    """
    rows: dict[str, dict[str, Any]] = {
        row["target"]: {**row}
        for row in Provisioning.objects.order_by()
        .filter(state__in=(State.PENDING, State.PARKED))
        .values("target")
        .annotate(
            pending=Count("pk", filter=Q(state=State.PENDING)),
            failing=Count("pk", filter=Q(state=State.PENDING, attempts__gt=0)),
            parked=Count("pk", filter=Q(state=State.PARKED)),
            since=Min("pending_since", filter=Q(state=State.PENDING)),
            error=Max("error"),
        )
    }
    names = [target.name for target in iot_settings().targets]
    return [_waiting(name, rows.get(name, {})) for name in dict.fromkeys([*names, *sorted(rows)])]


def _waiting(target: str, row: dict[str, Any]) -> Waiting:
    def figure(name: str, **lookups: object) -> Figure:
        return Figure(Provisioning, {"target": target, **lookups}, row.get(name, 0))

    return Waiting(
        target,
        figure("pending", state=State.PENDING),
        figure("failing", state=State.PENDING, attempts__gt=0),
        figure("parked", state=State.PARKED),
        row.get("since"),
        str(row.get("error") or ""),
    )


@dataclass(frozen=True, slots=True)
class Truststore:
    """What is on record of the truststore of API Gateway."""

    active: TruststorePush | None
    """The push that was activated last."""
    newest: TruststorePush | None
    changed: tuple[str, ...]
    """CAs that came or went after the active version was pushed."""


def read_truststore() -> Truststore | None:
    """Return the truststore's state by the record; ``None`` where no API Gateway has one."""
    if not settings.CONFIG.properties.api_custom_domain_name:
        return None
    pushes = list(TruststorePush.objects.order_by("-pk")[:50])
    active = max(
        (push for push in pushes if push.activated_at),
        key=lambda push: push.activated_at,  # type: ignore[arg-type,return-value]
        default=None,
    )
    changed: tuple[str, ...] = ()
    if active is not None:
        later = CertificateAuthority.objects.filter(
            Q(created_at__gt=active.pushed_at) | Q(untrusted_since__gt=active.pushed_at)
        )
        changed = tuple(later.order_by("name").values_list("name", flat=True))
    return Truststore(active, pushes[0] if pushes else None, changed)
