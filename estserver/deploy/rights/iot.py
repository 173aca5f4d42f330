"""The functions' rights in AWS IoT.

Where a resource is ``*``, IAM knows no narrower one for that action:

https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsiot.html
"""

from collections.abc import Iterator

from estserver.deploy.deployment import Deployment
from estserver.deploy.rights.statements import Statement, allow, our_tag
from pki.choices import IoTProvisioning


def registering(deployment: Deployment) -> Iterator[Statement]:
    """Return what the function est does in AWS IoT within a request.

    With `jitp` these are renewals only. Their things exist, so it may make none.
    """
    mode = deployment.config.iot_provisioning
    if mode == "none":
        return
    certificates = deployment.arn("iot", "cert/*")
    things = deployment.arn("iot", "thing/*")
    yield allow(
        "RegisterInIoT",
        ["iot:RegisterCertificate", "iot:RegisterCertificateWithoutCA"],
        "*",
    )
    yield allow("DescribeInIoT", ["iot:DescribeCertificate"], certificates)
    yield allow("FindThings", ["iot:ListAttachedPolicies", "iot:ListPrincipalThings"], "*")
    making = ["iot:CreateThing"] if mode == IoTProvisioning.REGISTER else []
    yield allow("Things", [*making, "iot:DescribeThing", "iot:ListThingPrincipals"], things)
    yield allow("AttachInIoT", ["iot:AttachPolicy"], certificates)
    yield allow("AttachThings", ["iot:AttachThingPrincipal"], [certificates, things])


def provisioning(deployment: Deployment) -> Iterator[Statement]:
    """Return what the function admin does: template, policy, CA registration and the outbox."""
    config = deployment.config
    if config.iot_provisioning == IoTProvisioning.NONE and not config.deployment.configure_jitp:
        return
    values = config.properties
    template = deployment.arn("iot", f"provisioningtemplate/{values.iot_template_name}")
    policy = deployment.arn("iot", f"policy/{values.iot_policy_name}")
    authorities = deployment.arn("iot", "cacert/*")
    certificates = deployment.arn("iot", "cert/*")
    things = deployment.arn("iot", "thing/*")
    yield allow(
        "KeepTemplate",
        [
            "iot:CreateProvisioningTemplate",
            "iot:CreateProvisioningTemplateVersion",
            "iot:DeleteProvisioningTemplateVersion",
            "iot:DescribeProvisioningTemplate",
            "iot:DescribeProvisioningTemplateVersion",
            "iot:ListProvisioningTemplateVersions",
            "iot:ListTagsForResource",
            "iot:TagResource",
            "iot:UpdateProvisioningTemplate",
        ],
        template,
    )
    yield allow(
        "KeepPolicy",
        [
            "iot:CreatePolicy",
            "iot:CreatePolicyVersion",
            "iot:DeletePolicyVersion",
            "iot:GetPolicy",
            "iot:GetPolicyVersion",
            "iot:ListPolicyVersions",
            "iot:ListTagsForResource",
            "iot:SetDefaultPolicyVersion",
            "iot:TagResource",
        ],
        policy,
    )
    yield allow(
        "RegisterInIoT",
        [
            "iot:GetRegistrationCode",
            "iot:ListAttachedPolicies",
            "iot:ListCACertificates",
            "iot:ListCertificates",
            "iot:ListPrincipalThings",
            "iot:RegisterCACertificate",
            "iot:RegisterCertificate",
            "iot:RegisterCertificateWithoutCA",
        ],
        "*",
    )
    yield allow(
        "KeepCAs",
        ["iot:DescribeCACertificate", "iot:ListTagsForResource", "iot:UpdateCACertificate"],
        authorities,
    )
    yield allow("TagCAs", ["iot:TagResource"], authorities, our_tag(deployment, "aws:RequestTag"))
    yield allow("ListByCA", ["iot:ListCertificatesByCA"], "*")
    yield allow(
        "KeepCertificates",
        [
            "iot:AttachPolicy",
            "iot:DeleteCertificate",
            "iot:DescribeCertificate",
            "iot:DetachPolicy",
            "iot:GetEffectivePolicies",
            "iot:UpdateCertificate",
        ],
        certificates,
    )
    yield allow(
        "KeepThings",
        [
            "iot:CreateThing",
            "iot:DescribeThing",
            "iot:GetThingConnectivityData",
            "iot:ListThingGroupsForThing",
            "iot:ListThingPrincipals",
            "iot:UpdateThing",
        ],
        things,
    )
    yield allow(
        "AttachThings",
        ["iot:AttachThingPrincipal", "iot:DetachThingPrincipal"],
        [certificates, things],
    )
    yield allow(
        "GroupThings",
        ["iot:AddThingToThingGroup", "iot:RemoveThingFromThingGroup"],
        [things, deployment.arn("iot", "thinggroup/*")],
    )
    yield allow(
        "HandIoTItsRole",
        ["iam:GetRole", "iam:ListAttachedRolePolicies", "iam:PassRole"],
        deployment.role_arn(values.iot_provisioning_role_name),
    )
