"""Every call that was made in an account that moto plays, judged."""

import json

from tests.estserver.deploy.iam.calls import read
from tests.estserver.deploy.iam.judging import judge


def judged_calls(cloud):
    """What IAM is asked about every call since the account was empty."""
    return judge(read(cloud.recorded), cloud.deployment, _templates(cloud))


def _templates(cloud):
    """CloudFormation's templates of the stacks that there were, by the stack's name."""
    cloudformation = cloud.client("cloudformation")
    return {
        stack["StackName"]: _as_json(
            cloudformation.get_template(StackName=stack["StackId"])["TemplateBody"]
        )
        for stack in cloudformation.list_stacks()["StackSummaries"]
    }


def _as_json(template):
    return json.loads(template) if isinstance(template, str) else template
