"""Push a truststore, and let the domain trust a version; each of both goes on record."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils import timezone

from estserver.deploy.deployment import Deployment, Domain
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.runs import carry_out
from estserver.deploy.front_door.domain import look_at_domain, trusted_version
from estserver.deploy.front_door.truststore_object import latest_version, object_uri
from estserver.deploy.truststore.bundle import (
    Bundle,
    bundle_from_database,
    bundle_from_file,
    check_bundle,
    compare,
    lost_clients,
)
from estserver.deploy.truststore.record import last_activated, pushes_here
from estserver.deploy.truststore.steps import Activation
from estserver.deploy.truststore.versions import put_call, read_version
from estserver.models import TruststorePush
from pki.conf import pki_settings
from pki.operators.errors import OperatorError
from pki.record import audit_trail
from pki.record.audit_trail import Actor
from pki.record.transactions import in_write_transaction


def wanted_bundle() -> Bundle:
    """Return the CAs on record, or before there are any, those of the configured file.

    The file is mTlsTruststoreCertificatesChainFile. Raises ``OperatorError`` when there are
    neither, or when API Gateway could not use them.
    """
    path = pki_settings().client_ca.truststore_path
    try:
        bundle = bundle_from_database()
    except OperatorError:
        if path is None:
            raise
        bundle = bundle_from_file(path)
    check_bundle(bundle)
    return bundle


def mutual_tls_domain(deployment: Deployment) -> Domain:
    """Return the domain with mutual TLS. Raises ``OperatorError`` when none is configured."""
    for domain in deployment.domains:
        if domain.is_mutual_tls:
            return domain
    raise OperatorError("No domain has a truststore. Set Properties.apiCustomDomainName.")


def push(
    deployment: Deployment, bundle: Bundle, *, actor: Actor, reason: str, performer: Performer
) -> TruststorePush:
    """Put ``bundle`` into S3 as a new version, and record it; return the row.

    No domain trusts it before ``activate``. A newest version with the same CAs is not put again.
    Raises ``OperatorError`` and ``RemoteFailure``.
    """
    check_bundle(bundle)
    latest = latest_version(deployment)
    known = _pushed(deployment, latest)
    if known is not None and known.sha256 == bundle.sha256:
        return known
    if latest and read_version(deployment, latest).sha256 == bundle.sha256:
        version_id = latest  # of a run that was cut off before it recorded the version
    else:
        answer = performer.perform(put_call(deployment, bundle, "the CAs differ"))
        version_id = _version_of(deployment, answer)
    return _record(deployment, bundle, version_id, actor=actor, reason=reason)


def activate(
    deployment: Deployment, version_id: str, *, actor: Actor, reason: str, performer: Performer
) -> tuple[str, ...]:
    """Let the domain trust a version, wait until it does, and record that at hand.

    Returns API Gateway's warnings. Raises as ``let_trust`` does.
    """
    outcome = let_trust(deployment, version_id, pushes_here(deployment), performer)
    if outcome.is_news:
        record_activation(deployment, version_id, actor=actor, reason=reason)
    return outcome.notes


@dataclass(frozen=True, slots=True)
class Activated:
    """The result of ``let_trust``."""

    is_news: bool
    """Whether the activation is not on record yet."""
    notes: tuple[str, ...]


def let_trust(
    deployment: Deployment,
    version_id: str,
    pushes: Sequence[TruststorePush],
    performer: Performer,
) -> Activated:
    """Let the domain trust a version of the record ``pushes``, and wait until it does.

    When a run is cut off here, or before the activation is recorded, the next one completes it.
    Raises ``OperatorError`` when there is no such domain or version, or when the version's contents
    are not those on record.
    """
    check_is_as_pushed(deployment, version_id, pushes)
    outcome = carry_out(
        [Activation(deployment, mutual_tls_domain(deployment), version_id)], performer
    )
    last = last_activated(pushes)
    is_recorded = last is not None and last.version_id == version_id
    return Activated(bool(outcome.changed) or not is_recorded, outcome.notes)


def check_is_as_pushed(
    deployment: Deployment, version_id: str, pushes: Iterable[TruststorePush]
) -> TruststorePush:
    """Return the row of a version that is as it was pushed; else raise ``OperatorError``."""
    pushed = next((each for each in pushes if each.version_id == version_id), None)
    if pushed is None:
        raise OperatorError(
            f"Version {version_id} of the truststore was not pushed by this tool. Push the CAs "
            "that it should hold, and activate that version."
        )
    held = read_version(deployment, version_id)
    if held.sha256 != pushed.sha256:
        raise OperatorError(
            f"Version {version_id} of the truststore is not what was pushed (SHA-256 "
            f"{held.sha256}, on record {pushed.sha256}). Find out who changed it, and push again."
        )
    return pushed


def record_activation(
    deployment: Deployment, version_id: str, *, actor: Actor, reason: str
) -> None:
    """Record in the database at hand that the domain trusts a version now.

    Raises ``OperatorError`` when it does not, or when the version is not on record.
    """
    active = active_version(deployment)
    if active != version_id:
        raise OperatorError(
            f"The domain trusts version {active or 'none'} of the truststore, not {version_id}. "
            "Nothing was recorded."
        )
    pushed = check_is_as_pushed(deployment, version_id, pushes_here(deployment))
    _record_activation(pushed, actor=actor, reason=reason)


def _record_activation(pushed: TruststorePush, *, actor: Actor, reason: str) -> None:
    def record() -> None:
        TruststorePush.objects.filter(pk=pushed.pk).update(activated_at=timezone.now())
        audit_trail.record(
            "truststore.activate",
            actor=actor,
            target=f"truststore:{pushed.domain}",
            reason=reason,
            after={"version": pushed.version_id, "sha256": pushed.sha256},
        )

    in_write_transaction(record)


def record_first_activation(deployment: Deployment, *, actor: Actor) -> None:
    """Record the version with which a new domain was made, if no activation is on record."""
    version_id = active_version(deployment)
    pushed = _pushed(deployment, version_id)
    if pushed is not None and last_activated(pushes_here(deployment)) is None:
        _record_activation(pushed, actor=actor, reason="first deployment")


def check_removals(old: Bundle, new: Bundle) -> None:
    """Refuse a change that shuts clients out. Raises ``OperatorError``, which names the CAs."""
    lost = lost_clients(compare(old, new).removed)
    if lost:
        raise OperatorError(
            "CAs that clients still need would be removed: "
            + "; ".join(map(str, lost))
            + ". Add --yes if these clients are to be turned away."
        )


def active_version(deployment: Deployment) -> str:
    """Return the id of the version that the domain trusts; "" before there is a domain."""
    return trusted_version(look_at_domain(mutual_tls_domain(deployment).name))


def _pushed(deployment: Deployment, version_id: str) -> TruststorePush | None:
    return TruststorePush.objects.filter(uri=object_uri(deployment), version_id=version_id).first()


def _version_of(deployment: Deployment, answer: dict[str, str]) -> str:
    version_id = answer.get("VersionId", "")
    if not version_id:
        raise OperatorError(
            f"The bucket {deployment.truststore_bucket} keeps no versions. Run aws_deploy "
            "--prepare, or switch versioning on."
        )
    return version_id


def _record(
    deployment: Deployment, bundle: Bundle, version_id: str, *, actor: Actor, reason: str
) -> TruststorePush:
    domain = mutual_tls_domain(deployment).name

    def record() -> TruststorePush:
        row = TruststorePush.objects.create(
            domain=domain,
            uri=object_uri(deployment),
            version_id=version_id,
            sha256=bundle.sha256,
            certificate_count=len(bundle.certificates),
            reason=reason,
            pushed_by=actor.name,
        )
        audit_trail.record(
            "truststore.push",
            actor=actor,
            target=f"truststore:{domain}",
            reason=reason,
            after={
                "version": version_id,
                "sha256": bundle.sha256,
                "certificates": len(bundle.certificates),
            },
        )
        return row

    return in_write_transaction(record)
