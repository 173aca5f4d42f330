"""Pushing, activating and taking back a truststore; each push and activation is on record."""

from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from estserver.deploy.admin_function import invocation, run_in_function
from estserver.deploy.calls import Call, Performer
from estserver.deploy.deployment import Deployment, Domain
from estserver.deploy.domain import CustomDomain, SeenDomain, look_at_domain
from estserver.deploy.setting_up import FIRST_PUSH
from estserver.deploy.steps import DONE, Blocked, Plan, Step, carry_out
from estserver.deploy.truststore import (
    Bundle,
    bundle_from_database,
    bundle_from_file,
    check_bundle,
    compare,
    lost_clients,
)
from estserver.deploy.truststore_object import (
    latest_version,
    object_uri,
    put_call,
    read_version,
)
from estserver.deploy.zappa_stage import look_at_stage
from estserver.models import TruststorePush
from pki import audit
from pki.audit import Actor
from pki.conf import pki_settings
from pki.exceptions import OperatorError
from pki.transactions import in_write_transaction


def wanted_bundle() -> Bundle:
    """The CAs on record; before there are any, those of mTlsTruststoreCertificatesChainFile.

    Raises ``OperatorError`` when there are neither, or when API Gateway couldn't use them.
    """
    path = pki_settings().client_ca.truststore_path
    try:
        bundle = bundle_from_database()
    except (DatabaseError, InterfaceError) as error:
        raise OperatorError(
            "the database can't be reached from here, and it knows the CAs; run aws_truststore "
            f"--push in the admin's function, then this again ({str(error).strip()})"
        ) from error
    except OperatorError:
        if path is None:
            raise
        bundle = bundle_from_file(path)
    check_bundle(bundle)
    return bundle


def mutual_tls_domain(deployment: Deployment) -> Domain:
    """The domain that the truststore is for. Raises ``OperatorError`` when none is configured."""
    for domain in deployment.domains:
        if domain.is_mutual_tls:
            return domain
    raise OperatorError("apiCustomDomainName isn't set: no domain has a truststore")


def push(
    deployment: Deployment, bundle: Bundle, *, actor: Actor, reason: str, performer: Performer
) -> TruststorePush:
    """Put ``bundle`` into S3 as a new version, and record it. Nothing trusts it before
    ``activate``.

    What lies there already isn't put again. Raises ``OperatorError`` and ``RemoteFailure``.
    """
    check_bundle(bundle)
    latest = latest_version(deployment)
    known = _pushed(deployment, latest)
    if known is not None and known.sha256 == bundle.sha256:
        return known
    if latest and read_version(deployment, latest).sha256 == bundle.sha256:
        version_id = latest  # a run that stopped before it could record what it had put there
    else:
        answer = performer.perform(put_call(deployment, bundle, "the CAs are others now"))
        version_id = _version_of(deployment, answer)
    return _record(deployment, bundle, version_id, actor=actor, reason=reason)


def activate(
    deployment: Deployment, version_id: str, *, actor: Actor, reason: str, performer: Performer
) -> tuple[str, ...]:
    """Let the domain trust a version, and wait until it does; returns API Gateway's warnings.

    Raises ``OperatorError``: no such domain or version, or a version that nobody here pushed.
    """
    pushed = _pushed(deployment, version_id)
    if pushed is None:
        raise OperatorError(
            f"version {version_id} of the truststore wasn't pushed by this tool; push what it "
            "should hold, and activate that"
        )
    held = read_version(deployment, version_id)
    if held.sha256 != pushed.sha256:
        raise OperatorError(
            f"version {version_id} of the truststore isn't what was pushed (SHA-256 {held.sha256}, "
            f"on record {pushed.sha256}): find out who changed it, and push again"
        )
    outcome = carry_out(
        [Activation(deployment, mutual_tls_domain(deployment), version_id)], performer
    )

    if outcome.changed or pushed.activated_at is None:
        _record_activation(pushed, actor=actor, reason=reason)
    return outcome.notes


def _record_activation(pushed: TruststorePush, *, actor: Actor, reason: str) -> None:
    def record() -> None:
        TruststorePush.objects.filter(pk=pushed.pk).update(activated_at=timezone.now())
        audit.record(
            "truststore.activate",
            actor=actor,
            target=f"truststore:{pushed.domain}",
            reason=reason,
            after={"version": pushed.version_id, "sha256": pushed.sha256},
        )

    in_write_transaction(record)


def record_first_activation(deployment: Deployment, *, actor: Actor) -> None:
    """Write down what a domain that has just been made was made to trust."""
    version_id = active_version(deployment)
    pushed = _pushed(deployment, version_id)
    if pushed is not None and last_activated(deployment) is None:
        _record_activation(pushed, actor=actor, reason="first deployment")


def check_removals(old: Bundle, new: Bundle) -> None:
    """Refuse to shut clients out unasked. Raises ``OperatorError``, which names the CAs."""
    lost = lost_clients(compare(old, new).removed)
    if lost:
        raise OperatorError(
            "CAs that clients still need would go: "
            + "; ".join(map(str, lost))
            + ". Add --yes if these clients are to be turned away"
        )


def active_version(deployment: Deployment) -> str:
    """The version that the domain trusts; "" before there is a domain."""
    held = look_at_domain(mutual_tls_domain(deployment).name)
    return str((held.get("mutualTlsAuthentication") or {}).get("truststoreVersion") or "")


def last_activated(deployment: Deployment) -> TruststorePush | None:
    """What the domain should trust, by the record."""
    return (
        TruststorePush.objects.filter(uri=object_uri(deployment), activated_at__isnull=False)
        .order_by("-activated_at")
        .first()
    )


def _pushed(deployment: Deployment, version_id: str) -> TruststorePush | None:
    return TruststorePush.objects.filter(uri=object_uri(deployment), version_id=version_id).first()


def _version_of(deployment: Deployment, answer: dict[str, str]) -> str:
    version_id = answer.get("VersionId", "")
    if not version_id:
        raise OperatorError(
            f"the bucket {deployment.truststore_bucket} keeps no versions; run aws_deploy "
            "--prepare, or switch versioning on"
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
        audit.record(
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


@dataclass(frozen=True)
class FirstTruststore(Step[str]):
    """The object that the domain is made with; afterwards it is `aws_truststore`'s.

    The admin's function puts it there: it has the database with the CAs and the record. The one
    that we would find here may be a laptop's own.
    """

    deployment: Deployment
    name = "est: truststore"

    def look(self) -> str:
        """The newest version."""
        return latest_version(self.deployment)

    def plan(self, seen: str) -> Plan:
        """Have the CAs on record put there, if nothing lies there."""
        if seen:
            return DONE
        if not look_at_stage(self.deployment, "admin").is_deployed:
            raise Blocked(
                "there is no client CA yet: zappa deploy admin makes it, and then finishes est"
            )
        because = "there is no truststore yet"
        return Plan((invocation(self.deployment.function("admin"), *FIRST_PUSH, because=because),))

    def apply(self, plan: Plan, performer: Performer) -> None:
        """Put it and record that, where the database is."""
        performer.say(f"  {plan.calls[0].because}")
        run_in_function(self.deployment.function("admin"), *FIRST_PUSH)


@dataclass(frozen=True)
class Activation(Step[SeenDomain]):
    """The domain's truststore, pinned to a version."""

    deployment: Deployment
    domain: Domain
    version_id: str
    name = "truststore version"
    advice = CustomDomain.advice

    def look(self) -> SeenDomain:
        """The domain."""
        held = look_at_domain(self.domain.name)
        if not held:
            raise Blocked(f"there is no domain {self.domain.name}; run aws_deploy --finish est")
        return SeenDomain(held)

    def plan(self, seen: SeenDomain) -> Plan:
        """Pin the version, when everything else about the domain is as it should be."""
        rest = CustomDomain(self.deployment, self.domain).plan(seen)
        if rest.calls:
            raise OperatorError(
                f"{rest.calls[0].because}: run aws_deploy --finish est first, which mends that"
            )
        mutual_tls = seen.held.get("mutualTlsAuthentication") or {}
        if rest.waiting or mutual_tls.get("truststoreVersion") == self.version_id:
            return rest
        change = {
            "op": "replace",
            "path": "/mutualTlsAuthentication/truststoreVersion",
            "value": self.version_id,
        }
        parameters = {"domainName": self.domain.name, "patchOperations": [change]}
        because = f"{self.domain.name} trusts another version"
        return Plan((Call("apigateway", "UpdateDomainName", because, parameters),))
