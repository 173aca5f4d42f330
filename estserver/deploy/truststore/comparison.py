"""Compare what API Gateway trusts with the CAs on record: for page, command, API call and job."""

from dataclasses import dataclass

from estserver.deploy.deployment import Deployment
from estserver.deploy.front_door.domain import look_at_domain, trusted_version, truststore_warnings
from estserver.deploy.truststore.bundle import (
    Bundle,
    Difference,
    LostClients,
    compare,
    lost_clients,
)
from estserver.deploy.truststore.pushes import mutual_tls_domain, wanted_bundle
from estserver.deploy.truststore.versions import read_version


@dataclass(frozen=True, slots=True)
class TrustedNow:
    """What the domain with mutual TLS trusts now, by AWS."""

    version: str
    """The id of the version of the stored object; "" before there is a domain."""
    bundle: Bundle
    warnings: tuple[str, ...]
    """API Gateway's, a sentence each."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a push of the CAs on record would change."""

    now: TrustedNow
    difference: Difference
    lost: tuple[LostClients, ...]
    """The CAs that a push would remove although clients still need them."""


def trusted_now(deployment: Deployment) -> TrustedNow:
    """Return what the domain trusts. Raises ``OperatorError`` and ``RemoteFailure``."""
    name = mutual_tls_domain(deployment).name
    held = look_at_domain(name)
    version = trusted_version(held)
    bundle = read_version(deployment, version) if version else Bundle(())
    return TrustedNow(version, bundle, truststore_warnings(held, name))


def compare_with_gateway(deployment: Deployment) -> Comparison:
    """Return what a push would change. Raises ``OperatorError`` and ``RemoteFailure``."""
    now = trusted_now(deployment)
    difference = compare(now.bundle, wanted_bundle())
    return Comparison(now, difference, tuple(lost_clients(difference.removed)))
