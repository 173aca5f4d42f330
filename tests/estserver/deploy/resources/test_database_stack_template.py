"""The template of the database's stack by itself, and the way to AWS that it gives to functions."""

import re

import pytest
import yaml

from estserver.deploy.deployment import STAGES
from estserver.deploy.engine.runs import StepFailed
from estserver.deploy.recipe import function_policy, preparation
from estserver.deploy.rights.called_services import called_services
from estserver.deploy.rights.keys_in_use import KeysInUse
from pki.aws.clients import aws_client
from tests.estserver.deploy.account import ACCOUNT, CONFIG, REGION
from tests.estserver.deploy.database_stacks import TEMPLATE, WITH_STACK, make_stack, stack_step

PRIVATE_CA_ARN = (
    f"arn:aws:acm-pca:{REGION}:{ACCOUNT}:certificate-authority/11111111-2222-3333-4444-555555555555"
)
BY_SIGNER = {
    "secretsmanager": CONFIG,
    "kms": CONFIG.replace(
        "deviceCaSigner: secretsmanager",
        "deviceCaSigner: kms\n  clientCaSigner: kms\n  iotProvisioning: register\n"
        "  iotTargets: [{name: a, region: eu-central-1, "
        'roleArn: "arn:aws:iam::210987654321:role/est"}]',
    ),
    "privateca": CONFIG.replace(
        "deviceCaSigner: secretsmanager", "deviceCaSigner: privateca"
    ).replace(
        "  signers:\n",
        "  signers:\n    privateca: {BACKEND: pki.signers.privateca.PrivateCASigner, OPTIONS: "
        f'{{certificateAuthorityArn: "{PRIVATE_CA_ARN}"}}}}\n',
    ),
}
"""Configurations that differ in what their functions call."""
KEYS = KeysInUse(secrets=(f"arn:aws:kms:{REGION}:{ACCOUNT}:key/secrets",))
COMING = {"events"}
"""For the schedule that a function wakes when there is work."""


@pytest.fixture
def deployment(aws_cloud, configured):
    """A deployment whose configuration names the stack."""
    return configured(WITH_STACK)


def parsed_template():
    """The template as YAML, in which a function of CloudFormation is its tag and its argument."""

    class Loader(yaml.SafeLoader):
        pass

    def function(loader, tag, node):
        kind = {"scalar": "scalar", "sequence": "sequence", "mapping": "mapping"}[node.id]
        construct = getattr(loader, f"construct_{kind}")
        return (tag, construct(node) if kind == "scalar" else construct(node, deep=True))

    Loader.add_multi_constructor("!", function)
    return yaml.load(TEMPLATE.read_text(encoding="utf-8"), Loader)  # a SafeLoader


def called_by(configured, signer):
    """The services that both functions call with a signer."""
    deployment = configured(BY_SIGNER[signer])
    return called_services(function_policy(deployment, stage, KEYS) for stage in STAGES)


def linted(text, region=REGION):
    """What cfn-lint says of a template, errors and warnings."""
    from cfnlint.api import ManualArgs, lint  # a second and a half for each worker that collects

    return lint(text, config=ManualArgs(regions=[region]))


def name_of(endpoint):
    """An endpoint's service, with or without a region in it."""
    name = endpoint["Properties"]["ServiceName"]
    return name if isinstance(name, str) else name[1]


class TestTheTemplate:
    """The file by itself."""

    @pytest.mark.parametrize("region", ["eu-central-1", "us-east-1"])
    def test_cfn_lint_has_nothing_to_say(self, region):
        found = linted(TEMPLATE.read_text(encoding="utf-8"), region)

        assert [str(each) for each in found] == []

    def test_cfn_lint_would_say_something(self):
        text = TEMPLATE.read_text(encoding="utf-8")
        wrong = text.replace("CidrBlock: !Ref VpcCidr", "Cidr: 1")
        unused = text.replace("Parameters:\n", "Parameters:\n  Unused: {Type: String}\n", 1)

        assert "E3002" in {each.rule.id for each in linted(wrong)}
        assert [each.rule.id for each in linted(unused)] == ["W2001"]

    @pytest.mark.parametrize("kind", ["Cluster", "Instance"])
    def test_T72_a_database_is_private_encrypted_backed_up_and_kept(self, kind):
        resources = parsed_template()["Resources"]
        database = resources[kind]
        properties = database["Properties"]

        assert (database["DeletionPolicy"], database["UpdateReplacePolicy"]) == ("Snapshot",) * 2
        assert properties["StorageEncrypted"] is True
        assert properties["ManageMasterUserPassword"] is True
        assert "MasterUserPassword" not in properties
        assert properties["DeletionProtection"] == ("Ref", "DeletionProtection")
        assert properties["BackupRetentionPeriod"] == ("Ref", "BackupDays")
        for name in ("Instance", "ClusterWriter"):
            assert resources[name]["Properties"]["PubliclyAccessible"] is False
        for name in ("ClusterParameters", "InstanceParameters"):
            assert resources[name]["Properties"]["Parameters"] == {"rds.force_ssl": "1"}

    def test_T72_the_functions_alone_reach_the_database_and_it_reaches_no_one(self):
        resources = parsed_template()["Resources"]
        database = resources["DatabaseSecurityGroup"]["Properties"]

        [inbound] = database["SecurityGroupIngress"]
        assert inbound["SourceSecurityGroupId"] == ("Ref", "FunctionSecurityGroup")
        assert (inbound["FromPort"], inbound["ToPort"]) == (5432, 5432)
        assert "CidrIp" not in inbound
        assert [each["CidrIp"] for each in database["SecurityGroupEgress"]] == [
            "255.255.255.255/32"
        ]
        assert "SecurityGroupIngress" not in resources["FunctionSecurityGroup"]["Properties"]
        for name in ("Cluster", "Instance"):
            properties = resources[name]["Properties"]
            assert ("Ref", "DatabaseSecurityGroup") in [
                *properties.get("VpcSecurityGroupIds", []),
                *properties.get("VPCSecurityGroups", []),
            ]

    def test_every_resource_that_takes_tags_names_the_installation(self):
        untagged = {
            "AWS::EC2::Route",
            "AWS::EC2::SubnetRouteTableAssociation",
            "AWS::EC2::VPCEndpoint",
            "AWS::EC2::VPCGatewayAttachment",
        }
        for name, resource in parsed_template()["Resources"].items():
            tags = resource["Properties"].get("Tags", [])
            is_tagged = {"Key": "est-server", "Value": ("Ref", "Project")} in tags
            assert is_tagged != (resource["Type"] in untagged), name


class TestEndpoints:
    """With Egress=endpoints, a service without an endpoint is out of the functions' reach."""

    @pytest.mark.parametrize("signer", list(BY_SIGNER))
    def test_the_list_is_complete_and_no_longer_than_that(self, aws_cloud, configured, signer):
        outputs = make_stack(Egress="endpoints", PrivateCa=str(signer == "privateca").lower())

        listed = set(outputs["EgressServices"].split(","))
        # IAM has no endpoint in this region, so that what needs it is refused: see below.
        assert called_by(configured, signer) - {"iam"} <= listed
        anyones = set().union(*(called_by(configured, each) for each in BY_SIGNER))
        assert listed <= anyones | COMING
        assert ("acm-pca" in listed) == (signer == "privateca")

    def test_each_service_of_the_list_has_its_endpoint(self):
        template = parsed_template()
        endpoints = {
            re.sub(r"com\.amazonaws\.(\$\{AWS::Region\}\.)?", "", name_of(resource))
            for resource in template["Resources"].values()
            if resource["Type"] == "AWS::EC2::VPCEndpoint"
        }
        _, (_, _, (_, (_, parts))) = template["Outputs"]["EgressServices"]["Value"]

        listed = set(parts[0].split(",")) | {parts[1][1][1], parts[2][1][1]}

        assert endpoints == {"iot.api" if each == "iot" else each for each in listed}

    def test_a_service_that_the_functions_call_and_cannot_reach_is_refused(self, deployment, bring):
        """IAM has an endpoint in us-east-1 alone, and JITP's role is looked at there."""
        make_stack(Egress="endpoints")

        with pytest.raises(StepFailed, match=r"none for iam, which the functions call\. Update it"):
            bring(*preparation(deployment))

        assert aws_client("s3").list_buckets()["Buckets"] == []

    def test_another_region_is_refused_too(self, aws_cloud, configured, bring):
        make_stack(Egress="endpoints")
        targets = "  iotTargets: [{name: here}, {name: us, region: us-east-1}]\n"
        text = WITH_STACK.replace("Properties:\n", f"Properties:\n{targets}")
        text = text.replace("DeploymentOptions:\n", "DeploymentOptions:\n  configureJITP: false\n")

        with pytest.raises(StepFailed, match="and the functions call us-east-1 too"):
            bring(stack_step(configured(text)))

    def test_with_nat_nothing_is_out_of_reach(self, deployment, bring):
        make_stack(Egress="nat")

        assert bring(stack_step(deployment)) == []
