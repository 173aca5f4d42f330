"""The step that looks at the stack with the database before anything is made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cryptography import x509

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.rights.database_stack import (
    ALL_SERVICES,
    DatabaseStack,
    StackInProgress,
    find_stack,
    stack_name,
)
from estserver.deploy.rights.key_lookup import key_regions
from estserver.deploy.rights.statements import ResourceRights, allow
from estserver.postgresql.tls import RDS_CA_BUNDLE
from pki.operators.errors import OperatorError, RemoteFailure


@dataclass(frozen=True)
class DatabaseStackStep(Step[DatabaseStack | OperatorError]):
    """A stack that a person made. This tool neither makes nor changes nor deletes it."""

    deployment: Deployment
    called_services: Callable[[], set[str]] = field(compare=False)
    """Returns the services that the functions call."""

    @property
    def name(self) -> str:
        """The step's name, as plans and messages show it."""
        return f"database stack {stack_name(self.deployment)}"

    def look(self) -> DatabaseStack | OperatorError:
        """Return the stack, or why it cannot be used, which is no matter to a removal."""
        try:
            found = find_stack(self.deployment)
        except RemoteFailure:
            raise
        except OperatorError as error:
            return error
        if found is None:
            raise AssertionError("The step is for a configuration that names a stack.")
        return found

    def plan(self, seen: DatabaseStack | OperatorError) -> Plan:
        """Return no calls. Raises ``OperatorError`` when the functions could not work with it."""
        if isinstance(seen, StackInProgress):
            return Plan(waiting=str(seen))
        if isinstance(seen, OperatorError):
            raise seen
        if problems := [*self._unreachable(seen), *self._unverified()]:
            raise OperatorError(" ".join(problems))
        return DONE

    def _unreachable(self, stack: DatabaseStack) -> Iterator[str]:
        """Yield what the functions would call and could not reach."""
        if ALL_SERVICES in stack.services:
            return
        if missing := sorted(self.called_services() - stack.services):
            yield (
                f"The stack {stack.name} has endpoints and no NAT, and none for "
                f"{', '.join(missing)}, which the functions call. Update it with Egress=nat, or "
                "with the parameter that adds the endpoint (docs/vpc.md)."
            )
        targets = self.deployment.config.properties.iot_targets
        regions = {target.region for target in targets} | set(key_regions(self.deployment))
        if others := sorted(regions - {"", self.deployment.region}):
            yield (
                f"The stack {stack.name} has endpoints for {self.deployment.region} and no NAT, "
                f"and the functions call {', '.join(others)} too. Update it with Egress=nat."
            )

    def _unverified(self) -> Iterator[str]:
        """Yield a region whose databases the package could not verify."""
        region = self.deployment.region
        if region not in regions_of_bundle():
            yield (
                f"{RDS_CA_BUNDLE.name} has no CA of RDS in {region}, so that the functions would "
                "refuse the database. Renew the file as docs/vpc.md says."
            )


def regions_of_bundle() -> set[str]:
    """Return the regions whose databases the CAs in the package verify."""
    found = set()
    for certificate in x509.load_pem_x509_certificates(RDS_CA_BUNDLE.read_bytes()):
        for name in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME):
            # Amazon RDS eu-central-1 Root CA RSA2048 G1
            found.update(str(name.value).split()[2:3])
    return found


def rights(deployment: Deployment) -> ResourceRights:
    """Return the right to look at the stack, and at no other."""
    name = stack_name(deployment)
    if not name:
        return ResourceRights()
    stack = deployment.arn("cloudformation", f"stack/{name}/*")
    return ResourceRights(
        deploy=[allow("LookAtDatabaseStack", ["cloudformation:DescribeStacks"], stack)]
    )
