"""The policies of the two functions' roles and of API Gateway's. No action has a wildcard."""

from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from estserver.config.database import iam_user_in
from estserver.config.function_policies import KEY, added_statements
from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.rights.database_stack import is_in_vpc
from estserver.deploy.rights.iot import provisioning, registering
from estserver.deploy.rights.keys_in_use import KeysInUse
from estserver.deploy.rights.signing import making_cas, other_accounts, signing
from estserver.deploy.rights.statements import (
    Document,
    ResourceRights,
    Statement,
    allow,
    document,
    length,
)
from pki.operators.errors import OperatorError

INLINE_POLICY_CHARACTERS = 10_240
"""How long the inline policies of a role may be together, without white space.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""


def trust(*services: str) -> Document:
    """Return a trust policy that lets these services take the role."""
    return document(
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": sorted(services)},
                "Action": "sts:AssumeRole",
            }
        ]
    )


FUNCTION_TRUST = trust("lambda.amazonaws.com", "apigateway.amazonaws.com")
"""Lambda runs the function with the role; API Gateway calls the function with it, because Zappa
makes it the integration's credentials.
"""
GATEWAY_LOG_TRUST = trust("apigateway.amazonaws.com")


def gateway_log_policy() -> Document:
    """Return what API Gateway's log role may do for the logs of every API in the account.

    The actions are those that API Gateway checks before it takes the role:
    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
    """
    verbs = ("CreateLogGroup", "CreateLogStream", "DescribeLogGroups", "DescribeLogStreams")
    more = ("FilterLogEvents", "GetLogEvents", "PutLogEvents")
    return document([allow("WriteLogs", [f"logs:{verb}" for verb in (*verbs, *more)], "*")])


def policy_of_function(
    deployment: Deployment,
    stage: StageName,
    rights: Sequence[ResourceRights],
    keys: KeysInUse,
) -> Document:
    """Return what a stage's function may do. It may use ``keys``, and no other key in KMS."""
    statements = [
        *_running(deployment, stage),
        *_connecting(deployment, keys),
        *signing(deployment, stage, keys),
    ]
    if stage == "est":
        statements += registering(deployment)
    else:
        statements += [
            *making_cas(deployment, keys),
            *provisioning(deployment),
            *_telling(deployment),
        ]
    for each in rights:
        statements += each.functions.get(stage, ())
    statements += other_accounts(deployment, stage)
    return _with_added(deployment, stage, statements)


def added_by_configuration(deployment: Deployment, stage: StageName) -> list[Statement]:
    """Return the statements that `functionPoliciesPath` adds. Raises ``OperatorError``."""
    path = deployment.config.deployment.function_policies_path
    return added_statements(deployment.config.resolve(path) if path else None, stage)


def _with_added(deployment: Deployment, stage: StageName, statements: list[Statement]) -> Document:
    """Return the policy with the configuration's statements.

    Raises ``OperatorError`` when they do not go together with the others.
    """
    added = added_by_configuration(deployment, stage)
    own = {each["Sid"] for each in statements}
    if taken := sorted(each["Sid"] for each in added if each["Sid"] in own):
        raise OperatorError(
            f"{KEY} has a statement {', '.join(taken)} for {stage}, and a statement of the EST "
            "server is called so. Choose another Sid."
        )
    policy = document([*statements, *added])
    if length(policy) > INLINE_POLICY_CHARACTERS:
        raise OperatorError(
            f"With the statements of {KEY} the policy of {stage} has {length(policy)} characters, "
            f"and IAM takes {INLINE_POLICY_CHARACTERS}. Shorten the statements."
        )
    return policy


def _running(deployment: Deployment, stage: StageName) -> Iterator[Statement]:
    function = deployment.arn("lambda", f"function:{deployment.function(stage)}")
    logs = deployment.arn("logs", f"log-group:{deployment.function_log_group(stage)}:*")
    # The function's versions and aliases are called by qualified names.
    yield allow("BeCalled", ["lambda:InvokeFunction"], [function, f"{function}:*"])
    yield allow("WriteLogs", ["logs:CreateLogStream", "logs:PutLogEvents"], logs)
    if is_in_vpc(deployment):
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
        # Lambda itself makes these calls, and not the code in the function, whose calls carry the
        # function's ARN: https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
        yield allow(
            "BeInTheVPC",
            [
                "ec2:AssignPrivateIpAddresses",
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:UnassignPrivateIpAddresses",
            ],
            "*",
            {"Null": {"lambda:SourceFunctionArn": "true"}},
        )


def _telling(deployment: Deployment) -> Iterator[Statement]:
    """The admin's function sends notices. A topic is named, so that it can tell no other."""
    if topic := deployment.config.properties.notice_topic_arn:
        yield allow("SendNotices", ["sns:Publish"], topic)


def _connecting(deployment: Deployment, keys: KeysInUse) -> Iterator[Statement]:
    """The database: one whose passwords are IAM's tokens, or one that a stack's secret opens.

    The id of a cluster of Aurora DSQL begins its host name.
    https://docs.aws.amazon.com/aurora-dsql/latest/userguide/authentication-authorization.html
    RDS names what is logged in to by an id that no host name has:
    https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
    """
    if stack := keys.database_stack:
        if stack.has_iam_login:
            user = f"dbuser:{stack.resource_id}/{stack.user}"
            yield allow("ConnectToDatabase", ["rds-db:connect"], deployment.arn("rds-db", user))
        else:
            actions = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
            yield allow("ReadDatabaseSecret", actions, stack.secret_arn)
        return
    if keys.cluster:
        yield allow("ConnectToDatabase", ["dsql:DbConnect"], keys.cluster.arn)
        return
    url = deployment.config.properties.database_url
    if user := iam_user_in(url):
        whichever = deployment.arn("rds-db", f"dbuser:*/{user}")
        yield allow("ConnectToDatabase", ["rds-db:connect"], whichever)
    parts = urlsplit(deployment.config.properties.database_url)
    if parts.scheme == "dsql":
        action = "dsql:DbConnectAdmin" if parts.username == "admin" else "dsql:DbConnect"
        cluster = (parts.hostname or "").partition(".")[0]
        yield allow("ConnectToDatabase", [action], deployment.arn("dsql", f"cluster/{cluster}"))
