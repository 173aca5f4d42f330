"""Which steps there are, and in which order: each needs those before it."""

from collections.abc import Iterable, Sequence

from estserver.deploy.deployment import STAGES, Deployment, StageName
from estserver.deploy.engine.steps import AnyStep
from estserver.deploy.front_door.dns import AliasRecords
from estserver.deploy.front_door.domain import CustomDomain, RootMapping
from estserver.deploy.front_door.integration_timeout import IntegrationTimeout
from estserver.deploy.front_door.lockdown import Lockdown, Throttling
from estserver.deploy.front_door.waf import WebAcl, WebAclAssociation
from estserver.deploy.resources.alarms import Alarms
from estserver.deploy.resources.buckets import buckets
from estserver.deploy.resources.ca_secrets import CAKeys, Secrets
from estserver.deploy.resources.function_environment import FunctionEnvironment
from estserver.deploy.resources.iot_leftovers import IoTLeftovers
from estserver.deploy.resources.logs import AccessLog, log_groups
from estserver.deploy.resources.roles import (
    GatewayAccount,
    ProvisioningRole,
    function_role,
    gateway_log_role,
    provisioning_role,
)
from estserver.deploy.resources.secrets_kms_key import SecretsKey
from estserver.deploy.truststore.steps import FirstTruststore
from estserver.deploy.zappa.stage import AdminEndpoint, ZappaStage


def preparation(deployment: Deployment) -> list[AnyStep]:
    """What `zappa deploy` needs: it uploads into the bucket and hands out the roles."""
    for_iot = [provisioning_role(deployment)] if deployment.has_provisioning_role else []
    return [
        *buckets(deployment),
        SecretsKey(deployment),
        *(function_role(deployment, stage) for stage in STAGES),
        gateway_log_role(deployment),
        *for_iot,
        GatewayAccount(deployment),
        *(group for stage in STAGES for group in log_groups(deployment, stage)),
    ]


def guarding(deployment: Deployment, stage: StageName) -> list[AnyStep]:
    """What comes after `zappa deploy` and before anybody is led to the stage."""
    return [
        ZappaStage(deployment, stage),
        FunctionEnvironment(deployment, stage),
        WebAcl(deployment),
        *_guards(deployment, stage),
    ]


def finishing(deployment: Deployment, stage: StageName, *, adopts: bool = False) -> list[AnyStep]:
    """What comes after `zappa deploy` or `zappa update` of a stage.

    The default endpoint is closed first and DNS is set last: nobody is led to a door that isn't
    guarded yet.
    """
    return [
        *guarding(deployment, stage),
        *_doors(deployment, stage, adopts=adopts),
        Alarms(deployment),
    ]


def everything(
    deployment: Deployment,
    *,
    adopts: bool = False,
    stages: Sequence[StageName] = STAGES,
    also: Iterable[AnyStep] = (),
) -> list[AnyStep]:
    """All steps, each once; those that other apps look after (``also``) last, so that a removal
    begins with them.
    """
    return [
        *preparation(deployment),
        WebAcl(deployment),
        *(step for stage in stages for step in _of_stage(deployment, stage, adopts=adopts)),
        Alarms(deployment),
        *also,
    ]


def removable(
    deployment: Deployment, *, with_secrets: bool = True, with_iot: bool = False
) -> list[AnyStep]:
    """What a removal looks at, the last one first.

    Secrets go before the key that they are encrypted with, AWS IoT before the role it uses. That
    role stays as long as there may be a template that works with it.
    """
    also: list[AnyStep] = []
    if with_secrets:
        also += [Secrets(deployment), CAKeys(deployment)]
    if with_iot:
        also += [provisioning_role(deployment), IoTLeftovers(deployment)]
    kept = (ProvisioningRole,) if with_secrets else (ProvisioningRole, SecretsKey)
    return [*(step for step in everything(deployment) if not isinstance(step, kept)), *also]


def _of_stage(deployment: Deployment, stage: StageName, *, adopts: bool) -> list[AnyStep]:
    return [
        ZappaStage(deployment, stage),
        FunctionEnvironment(deployment, stage),
        *_guards(deployment, stage),
        *_doors(deployment, stage, adopts=adopts),
    ]


def _guards(deployment: Deployment, stage: StageName) -> list[AnyStep]:
    return [
        Lockdown(deployment, stage),
        IntegrationTimeout(deployment, stage),
        Throttling(deployment, stage),
        AccessLog(deployment, stage),
        WebAclAssociation(deployment, stage),
    ]


def _doors(deployment: Deployment, stage: StageName, *, adopts: bool) -> list[AnyStep]:
    domains = deployment.domains_of(stage)
    before: AnyStep = FirstTruststore(deployment) if stage == "est" else AdminEndpoint(deployment)
    return [
        before,
        *(CustomDomain(deployment, domain, adopts) for domain in domains),
        *(RootMapping(deployment, domain) for domain in domains),
        *(AliasRecords(deployment, domain, adopts) for domain in domains),
    ]
