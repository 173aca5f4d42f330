"""The stack that `database: stack NAME` names: a VPC and its database, from the template.

The template is config/database-stack.yaml, and docs/vpc.md says how a person makes it. Nothing here
changes the stack.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from estserver.config.database import address_url
from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import ask
from pki.operators.errors import OperatorError, RemoteFailure

TEMPLATE = "config/database-stack.yaml"
FORMAT_VERSION = "1"
ALL_SERVICES = "*"
IDLE_SECONDS = 60
"""How long a function keeps an idle connection to a database that pauses. An environment of Lambda
lives for hours after its last request, and its connection with it.
"""
_CHOICE = "stack "
_NO_STACK = "ValidationError"
_USABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
"""In the last, an update was rolled back, and the stack is as before."""


class StackInProgress(OperatorError):
    """CloudFormation is making or changing the stack. Its text is a phrase."""


@dataclass(frozen=True, slots=True)
class DatabaseStack:
    """What the functions need of a stack."""

    name: str
    subnet_ids: tuple[str, ...]
    security_group_id: str
    host: str
    port: str
    database: str
    user: str
    has_iam_login: bool
    resource_id: str
    """What IAM calls the cluster or instance: ``cluster-...`` or ``db-...``."""
    secret_arn: str
    """The master user's secret, which RDS manages."""
    pauses: bool
    """Whether the database pauses when no client is connected."""
    services: frozenset[str]
    """The services of AWS that the functions can reach, by IAM's prefixes; ``*`` is all."""

    @property
    def url(self) -> str:
        """The database's URL for a function. There is no password in it."""
        return address_url(
            self.host,
            self.port,
            self.database,
            secret="" if self.has_iam_login else self.secret_arn,
            iam_user=self.user if self.has_iam_login else "",
            idle_seconds=IDLE_SECONDS if self.pauses else 0,
        )


def stack_name(deployment: Deployment) -> str:
    """Return the name of the stack that has the database; "" when the configuration names none."""
    choice: str = deployment.config.properties.database
    return choice.removeprefix(_CHOICE) if choice.startswith(_CHOICE) else ""


def is_in_vpc(deployment: Deployment) -> bool:
    """Whether the functions are in a VPC, the configuration's or the stack's."""
    return bool(deployment.config.deployment.vpc_subnet_ids or stack_name(deployment))


def find_stack(deployment: Deployment) -> DatabaseStack | None:
    """Return the stack of the configuration, as CloudFormation has it; ``None`` if none is named.

    Raises ``StackInProgress`` while it changes, ``OperatorError`` when it is missing, unfinished,
    not of our template or of another installation, and ``RemoteFailure``.
    """
    name = stack_name(deployment)
    if not name:
        return None
    # Step 1: the stack, in a state in which its outputs hold.
    stack = _described(deployment, name)
    state = str(stack["StackStatus"])
    if state.endswith("IN_PROGRESS"):
        raise StackInProgress(f"CloudFormation is at work on the stack {name} ({state})")
    if state not in _USABLE:
        raise OperatorError(
            f"The stack {name} is in {state}. Look at its events in the CloudFormation console, "
            "mend or delete it, and make it again as docs/vpc.md says."
        )
    # Step 2: our template made it, for this installation.
    outputs = {str(each["OutputKey"]): str(each["OutputValue"]) for each in _outputs(stack)}
    if outputs.get("FormatVersion") != FORMAT_VERSION:
        raise OperatorError(
            f"The stack {name} was not made from {TEMPLATE} of this version. Update it from that "
            "file as docs/vpc.md says, or name another stack in Properties.database."
        )
    project = outputs.get("ProjectName", "")
    if project != deployment.project:
        raise OperatorError(
            f"The stack {name} is the database of the installation {project}, and this one is "
            f"{deployment.project}. Make a stack with Project={deployment.project}, and name it in "
            "Properties.database."
        )
    return _from_outputs(name, outputs)


def _described(deployment: Deployment, name: str) -> Mapping[str, object]:
    try:
        stacks = ask("cloudformation", "DescribeStacks", StackName=name)["Stacks"]
    except RemoteFailure as error:
        if error.code != _NO_STACK:
            raise
        stacks = []
    if not stacks:
        raise OperatorError(
            f"There is no stack {name} in {deployment.region}, which Properties.database names. "
            f"Make it from {TEMPLATE} as docs/vpc.md says."
        )
    found: Mapping[str, object] = stacks[0]
    return found


def _outputs(stack: Mapping[str, object]) -> list[Mapping[str, object]]:
    outputs = stack.get("Outputs", [])
    return list(outputs) if isinstance(outputs, list) else []


def _from_outputs(name: str, outputs: Mapping[str, str]) -> DatabaseStack:
    try:
        return DatabaseStack(
            name=name,
            subnet_ids=tuple(outputs["SubnetIds"].split(",")),
            security_group_id=outputs["FunctionSecurityGroupId"],
            host=outputs["DatabaseHost"],
            port=outputs["DatabasePort"],
            database=outputs["DatabaseName"],
            user=outputs["DatabaseUser"],
            has_iam_login=outputs["DatabaseLogin"] == "iam",
            resource_id=outputs["DatabaseResourceId"],
            secret_arn=outputs["DatabaseSecretArn"],
            pauses=outputs["DatabasePauses"] == "true",
            services=frozenset(outputs["EgressServices"].split(",")),
        )
    except KeyError as error:
        raise OperatorError(
            f"The stack {name} has no output {error.args[0]}. Update it from {TEMPLATE} as "
            "docs/vpc.md says."
        ) from error
