"""The truststore's steps: its object before there is a domain, its version afterwards."""

from dataclasses import dataclass

from estserver.deploy.deployment import Deployment, Domain
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.steps import DONE, Blocked, Plan, Step
from estserver.deploy.front_door.domain import CustomDomain, SeenDomain, look_at_domain
from estserver.deploy.front_door.truststore_object import OBJECT_KEY, latest_version
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.deploy.truststore.record import FIRST_PUSH
from estserver.deploy.zappa.admin_function import invocation, run_in_function
from estserver.deploy.zappa.stage import look_at_stage
from pki.operators.errors import OperatorError


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
        reason = "there is no truststore yet"
        return Plan((invocation(self.deployment.function("admin"), *FIRST_PUSH, reason=reason),))

    def apply(self, plan: Plan, performer: Performer) -> None:
        """Put it and record that, where the database is."""
        performer.say(f"  {plan.calls[0].reason}")
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
                f"{rest.calls[0].reason}: run aws_deploy --finish est first, which mends that"
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
        reason = f"{self.domain.name} trusts another version"
        return Plan((Call("apigateway", "UpdateDomainName", reason, parameters),))


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights of `aws_truststore` in the admin's function: the object and the domain."""
    bucket = f"arn:{deployment.partition}:s3:::{deployment.truststore_bucket}"
    domains = [domain.name for domain in deployment.domains if domain.is_mutual_tls]
    statements = [
        allow(
            "KeepTruststore",
            ["s3:GetObject", "s3:GetObjectVersion", "s3:PutObject"],
            f"{bucket}/{OBJECT_KEY}",
        ),
        allow("ListTruststore", ["s3:ListBucket", "s3:ListBucketVersions"], bucket),
    ]
    if domains:
        statements.append(
            allow(
                "ActivateTruststore",
                ["apigateway:GET", "apigateway:PATCH"],
                [deployment.gateway_arn(f"/domainnames/{name}") for name in domains],
            )
        )
    return ResourceRights(functions={"admin": statements})
