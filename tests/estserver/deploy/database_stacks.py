"""Stacks of the database's template, which moto makes."""

from pathlib import Path

from estserver.deploy.recipe import preparation
from estserver.deploy.resources.database_stack import DatabaseStackStep
from pki.aws.clients import aws_client
from tests.estserver.deploy import moto_database_stack
from tests.estserver.deploy.account import WITHOUT_DATABASE

TEMPLATE = Path(__file__).parents[3] / "config" / "database-stack.yaml"
STACK = "est-database"
WITH_STACK = WITHOUT_DATABASE.replace(
    "Properties:\n", f"Properties:\n  database: stack {STACK}\n", 1
)


def make_stack(*, template="", **parameters):
    """Make the stack, as the line of docs/vpc.md does; returns its outputs."""
    moto_database_stack.fill()
    # moto makes a whole VPC before it answers. A client with less patience asks a second time.
    cloudformation = aws_client("cloudformation", read_timeout=60)
    cloudformation.create_stack(
        StackName=STACK,
        TemplateBody=template or TEMPLATE.read_text(encoding="utf-8"),
        Parameters=[
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ],
    )
    [stack] = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}


def stack_step(deployment):
    """The step of the preparation that looks at the stack."""
    [step] = [each for each in preparation(deployment) if isinstance(each, DatabaseStackStep)]
    return step
