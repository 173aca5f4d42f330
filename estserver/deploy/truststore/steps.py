"""The truststore's steps: the object with which a domain is made, and the version it trusts."""

from dataclasses import dataclass

from estserver.deploy.deployment import Deployment, Domain
from estserver.deploy.engine.calls import Call
from estserver.deploy.engine.performer import Performer
from estserver.deploy.engine.steps import DONE, Blocked, Plan, Step
from estserver.deploy.front_door.domain import CustomDomain, SeenDomain, look_at_domain, no_domain
from estserver.deploy.front_door.truststore_object import OBJECT_KEY, latest_version
from estserver.deploy.rights.gateway import CHANGE_TRUSTSTORE
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.deploy.truststore.record import FIRST_PUSH
from estserver.deploy.zappa.admin_function import invocation, run_in_function
from estserver.deploy.zappa.stage import look_at_stage
from pki.operators.errors import OperatorError


@dataclass(frozen=True)
class FirstTruststore(Step[str]):
    """The first version of the object, with which the domain is made.

    The admin's function puts it, because its database has the CAs and the record. Later versions
    are put by `aws_truststore`.
    """

    deployment: Deployment
    name = "est: truststore"

    def look(self) -> str:
        """Read the newest version's id."""
        return latest_version(self.deployment)

    def plan(self, seen: str) -> Plan:
        """Have the CAs on record put, if there is no version yet."""
        if seen:
            return DONE
        if not look_at_stage(self.deployment, "admin").is_deployed:
            raise Blocked(
                "There is no client CA yet. zappa deploy admin makes it, and then finishes est."
            )
        reason = "there is no truststore yet"
        return Plan(
            (invocation(self.deployment.live_function("admin"), *FIRST_PUSH, reason=reason),)
        )

    def apply(self, plan: Plan, performer: Performer) -> None:
        """Have the admin's function put the version and record that."""
        performer.say(f"  {plan.calls[0].reason}")
        run_in_function(self.deployment.live_function("admin"), *FIRST_PUSH)


@dataclass(frozen=True)
class Activation(Step[SeenDomain]):
    """The version of the truststore that the domain trusts."""

    deployment: Deployment
    domain: Domain
    version_id: str
    name = "truststore version"
    advice = CustomDomain.advice

    def look(self) -> SeenDomain:
        """Read the domain."""
        held = look_at_domain(self.domain.name)
        if not held:
            raise no_domain(self.domain.name)
        return SeenDomain(held)

    def plan(self, seen: SeenDomain) -> Plan:
        """Pin the version.

        Raises ``OperatorError`` when anything else about the domain differs.
        """
        rest = CustomDomain(self.deployment, self.domain).plan(seen)
        if rest.calls:
            raise OperatorError(
                f"The domain is not as configured: {rest.calls[0].reason}. Run aws_deploy --finish "
                "est first, which mends that."
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
                [CHANGE_TRUSTSTORE, "apigateway:GET", "apigateway:PATCH"],
                [deployment.gateway_arn(f"/domainnames/{name}") for name in domains],
            )
        )
    return ResourceRights(functions={"admin": statements})
