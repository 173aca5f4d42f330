"""Custom domains of API Gateway: the one with mutual TLS, and those without."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from estserver.config import MADE_BY
from estserver.deploy.deployment import Deployment, Domain
from estserver.deploy.engine.calls import Answer, Call, ask_if_any
from estserver.deploy.engine.steps import DONE, Blocked, Plan, Step
from estserver.deploy.front_door.truststore_object import latest_version, object_uri
from estserver.deploy.rights.gateway import CHANGE_TRUSTSTORE, control_plane
from estserver.deploy.rights.statements import ResourceRights, allow
from pki.operators.errors import OperatorError

SECURITY_POLICY = "TLS_1_2"
"""TLS 1.2 and 1.3. The newer policies with longer names exclude mutual TLS.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-custom-domain-tls-version.html
"""
LINKED_SERVICE = "ops.apigateway.amazonaws.com"
"""The service that API Gateway makes its own role for, with the first domain of an account."""
ADOPTED = "est-server:adopted"
"""The tag of a domain that existed before: this tool changes it, and never deletes it."""

_BUSY = {"UPDATING", "PENDING"}
_STUCK = {
    "PENDING_CERTIFICATE_REIMPORT": "Import the server certificate into ACM again, from the same "
    "issuer and under the same ARN.",
    "PENDING_OWNERSHIP_VERIFICATION": "Set apiOwnershipVerificationCertificateArn to a public ACM "
    "certificate that is issued for this name.",
    "FAILED": "Mend what the message says, and delete the domain in the console.",
}


def look_at_domain(name: str) -> Mapping[str, Any]:
    """Read a custom domain; return an empty mapping when there is none.

    Raises ``RemoteFailure``.
    """
    return ask_if_any("apigateway", "GetDomainName", domainName=name) or {}


def trusted_version(held: Mapping[str, Any]) -> str:
    """Return the id of the truststore's version that a domain trusts; "" without one."""
    return str((held.get("mutualTlsAuthentication") or {}).get("truststoreVersion") or "")


def truststore_warnings(held: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return what API Gateway warns of in the truststore of the domain ``name``, in sentences."""
    said = (held.get("mutualTlsAuthentication") or {}).get("truststoreWarnings") or ()
    return tuple(
        f"API Gateway warns of the truststore of {name}: {warning.rstrip('.')}." for warning in said
    )


def no_domain(name: str) -> Blocked:
    """Return the refusal of a step whose domain is not made yet."""
    return Blocked(f"The domain {name} does not exist yet. Run aws_deploy --finish est.")


def is_managed(deployment: Deployment, seen: Mapping[str, Any]) -> bool:
    """Whether this tool may change a domain, because it made or adopted it."""
    tags = seen.get("tags") or {}
    return deployment.is_ours(tags) or tags.get(ADOPTED) == deployment.project


@dataclass(frozen=True, slots=True)
class SeenDomain:
    """A custom domain, and the truststore's newest version, to which it could be pinned."""

    held: Mapping[str, Any] = field(default_factory=dict)
    latest_truststore: str = ""


@dataclass(frozen=True)
class CustomDomain(Step[SeenDomain]):
    """A regional domain. It is made with a truststore version, which `aws_truststore` changes."""

    deployment: Deployment
    domain: Domain
    adopts: bool = False
    """Whether a domain that this tool did not make may be taken over."""

    advice = {
        "ConflictException": "The name is in use, perhaps in another account of yours. Delete it "
        "there, or choose another one.",
        "BadRequestException": "Check that the certificate in ACM is issued, for this name and in "
        "this region, and that you may read the truststore's object.",
        "AccessDeniedException": "API Gateway reads the truststore with the rights of the person "
        "who deploys. Allow s3:GetObject and s3:GetObjectVersion on it.",
    }

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"{self.domain.stage}: domain {self.domain.name}"

    def look(self) -> SeenDomain:
        """Read the domain and, for one with mutual TLS, the truststore's newest version."""
        latest = latest_version(self.deployment) if self.domain.is_mutual_tls else ""
        return SeenDomain(look_at_domain(self.domain.name), latest)

    def plan(self, seen: SeenDomain) -> Plan:
        """Make the domain, or change what differs.

        Raises ``OperatorError`` for a domain of another project, even with ``adopts``, and for one
        that only a person can change.
        """
        held = seen.held
        if not held:
            return Plan((self._create(seen),))
        for tag in (MADE_BY, ADOPTED):
            self.deployment.refuse_of_another(
                f"The domain {self.domain.name}",
                {MADE_BY: (held.get("tags") or {}).get(tag, "")},
                "Choose another name for this project, or remove that project first.",
            )
        if not is_managed(self.deployment, held):
            if not self.adopts:
                raise OperatorError(
                    f"The domain {self.domain.name} exists and was not made by this tool. Delete "
                    "it, or run with --adopt to let this tool change it."
                )
            return Plan((self._adopt(held),))
        status = held.get("domainNameStatus", "AVAILABLE")
        if status in _BUSY:
            return Plan(waiting=f"API Gateway is changing {self.domain.name} ({status})")
        if status in _STUCK:
            said = str(held.get("domainNameStatusMessage") or "no message").rstrip(".")
            raise OperatorError(f"{self.domain.name} is {status} ({said}). {_STUCK[status]}")
        if (held.get("endpointConfiguration") or {}).get("types") != ["REGIONAL"]:
            raise OperatorError(
                f"{self.domain.name} is not a regional domain, and mutual TLS takes one. Delete it "
                "in the console and run the command again."
            )
        changes = [{"op": "replace", **change} for change in self._changes(seen)]
        warnings = truststore_warnings(held, self.domain.name)
        if not changes:
            return Plan(notes=warnings)
        different = ", ".join(str(change["path"]).strip("/") for change in changes)
        reason = f"{self.domain.name} differs in {different}"
        parameters = {"domainName": self.domain.name, "patchOperations": changes}
        return Plan((Call("apigateway", "UpdateDomainName", reason, parameters),), notes=warnings)

    def undo(self, seen: SeenDomain) -> Plan:
        """Delete the domain, if this tool made it."""
        if not self.deployment.is_ours(seen.held.get("tags") or {}):
            return DONE
        if seen.held.get("domainNameStatus") in _BUSY:
            return Plan(waiting=f"API Gateway is changing {self.domain.name}")
        reason = f"the domain {self.domain.name} was made by aws_deploy"
        parameters = {"domainName": self.domain.name}
        return Plan((Call("apigateway", "DeleteDomainName", reason, parameters),))

    @property
    def _address_type(self) -> str:
        return "dualstack" if self.domain.is_dualstack else "ipv4"

    def _create(self, seen: SeenDomain) -> Call:
        parameters: dict[str, Any] = {
            "domainName": self.domain.name,
            "regionalCertificateArn": self.domain.certificate_arn,
            "endpointConfiguration": {
                "types": ["REGIONAL"],
                "ipAddressType": self._address_type,
            },
            "securityPolicy": SECURITY_POLICY,
            "tags": self.deployment.tags(self.domain.stage),
        }
        if self.domain.is_mutual_tls:
            parameters["mutualTlsAuthentication"] = {
                "truststoreUri": object_uri(self.deployment),
                "truststoreVersion": self._first_version(seen),
            }
        if self.domain.ownership_certificate_arn:
            parameters["ownershipVerificationCertificateArn"] = (
                self.domain.ownership_certificate_arn
            )
        reason = f"there is no domain {self.domain.name}"
        return Call("apigateway", "CreateDomainName", reason, parameters)

    def _first_version(self, seen: SeenDomain) -> Any:
        return seen.latest_truststore or Answer("s3:PutObject", "VersionId")

    def _adopt(self, held: Mapping[str, Any]) -> Call:
        arn = self.deployment.gateway_arn(f"/domainnames/{self.domain.name}")
        parameters = {"resourceArn": arn, "tags": {ADOPTED: self.deployment.project}}
        reason = f"{self.domain.name} was there before, and is taken over"
        return Call("apigateway", "TagResource", reason, parameters)

    def _changes(self, seen: SeenDomain) -> Iterator[dict[str, Any]]:
        held = seen.held
        simple = {
            "regionalCertificateArn": self.domain.certificate_arn,
            "securityPolicy": SECURITY_POLICY,
        }
        if self.domain.ownership_certificate_arn:
            simple["ownershipVerificationCertificateArn"] = self.domain.ownership_certificate_arn
        for key, wanted in simple.items():
            if held.get(key) != wanted:
                yield {"path": f"/{key}", "value": wanted}
        if held["endpointConfiguration"].get("ipAddressType", "ipv4") != self._address_type:
            yield {"path": "/endpointConfiguration/ipAddressType", "value": self._address_type}
        yield from self._mutual_tls_changes(seen)

    def _mutual_tls_changes(self, seen: SeenDomain) -> Iterator[dict[str, Any]]:
        held = seen.held.get("mutualTlsAuthentication") or {}
        path = "/mutualTlsAuthentication"
        if not self.domain.is_mutual_tls:
            if held.get("truststoreUri"):
                yield {"path": f"{path}/truststoreUri", "value": ""}
            return
        if held.get("truststoreUri") != object_uri(self.deployment):
            yield {"path": f"{path}/truststoreUri", "value": object_uri(self.deployment)}
            yield {"path": f"{path}/truststoreVersion", "value": self._first_version(seen)}
        elif not held.get("truststoreVersion"):
            # Not pinned, so the next change of the domain would take the version of that moment.
            yield {"path": f"{path}/truststoreVersion", "value": self._first_version(seen)}


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to domains, to their truststores, and to look at their certificates.

    A domain's truststore takes an action of its own beside HTTP's methods:
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
    The first domain of an account takes the right to make API Gateway's own role:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/using-service-linked-roles.html
    """
    role = f"aws-service-role/{LINKED_SERVICE}/AWSServiceRoleForAPIGateway"
    return ResourceRights(
        look=["acm:DescribeCertificate"],
        deploy=[
            control_plane(deployment, "/domainnames*"),
            allow(
                "MutualTLS",
                [CHANGE_TRUSTSTORE, "apigateway:RemoveCertificateFromDomain"],
                [deployment.gateway_arn(path) for path in ("/domainnames", "/domainnames/*")],
            ),
            allow(
                "LinkGateway",
                ["iam:CreateServiceLinkedRole"],
                deployment.role_arn(role),
                {"StringEquals": {"iam:AWSServiceName": LINKED_SERVICE}},
            ),
        ],
    )
