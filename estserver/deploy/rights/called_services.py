"""Which services of AWS the code in a function calls, as its policy says.

In a VPC without NAT, each of them needs an endpoint.
"""

from collections.abc import Iterable

from estserver.deploy.rights.statements import Document

NOT_CALLED = {
    # Lambda attaches the function to the VPC and sends its output and traces, from outside of it:
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html
    # https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html
    "ec2:*",
    "logs:*",
    "xray:*",
    # API Gateway and EventBridge invoke the function; it invokes none.
    "lambda:*",
    # A right that another call takes, and a token that the process signs itself.
    "iam:PassRole",
    "rds-db:*",
    # The database is the connection's other end, and no API.
    "dsql:*",
}
"""Actions in a function's policy that are no call of the code in it."""


def called_services(policies: Iterable[Document]) -> set[str]:
    """Return the services that functions with these policies call, by IAM's prefixes."""
    actions = {
        action
        for policy in policies
        for statement in policy["Statement"]
        for action in statement["Action"]
    }
    return {
        action.partition(":")[0]
        for action in actions
        if not {action, f"{action.partition(':')[0]}:*"} & NOT_CALLED
    }
