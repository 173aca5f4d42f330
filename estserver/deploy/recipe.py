"""The list of everything that is deployed: its steps in their order, and the rights to it.

A new resource is a module with its steps and its ``rights``, and its lines in this one.
"""

from collections.abc import Iterable, Sequence
from functools import partial

from estserver.deploy.account.problems import rights as account_rights
from estserver.deploy.deployment import STAGES, Deployment, StageName
from estserver.deploy.engine.steps import AnyStep
from estserver.deploy.front_door import (
    dns,
    domain,
    integration_timeout,
    lockdown,
    root_mapping,
    waf,
)
from estserver.deploy.resources import (
    ca_keys,
    ca_secrets,
    concurrency,
    database_stack,
    function_environment,
    gateway_account,
    iot_leftovers,
    logs,
    named_resources,
    secrets_kms_key,
)
from estserver.deploy.resources.buckets import deployment_buckets
from estserver.deploy.resources.buckets.locked_bucket import LockedBucket
from estserver.deploy.resources.database import backups, cluster
from estserver.deploy.resources.database.roles import DatabaseRoles
from estserver.deploy.resources.roles import deployment_roles
from estserver.deploy.resources.roles.role import Role
from estserver.deploy.resources.watching import alarms, dashboard, schedule_states, topic, tracing
from estserver.deploy.rights import deployer, functions
from estserver.deploy.rights.called_services import called_services
from estserver.deploy.rights.database_stack import stack_name
from estserver.deploy.rights.dsql_cluster import has_cluster, may_have_cluster
from estserver.deploy.rights.keys_in_use import NO_KEYS, KeysInUse
from estserver.deploy.rights.statements import Document, ResourceRights
from estserver.deploy.truststore.steps import FirstTruststore
from estserver.deploy.truststore.steps import rights as truststore_rights
from estserver.deploy.zappa.admin_endpoint import AdminEndpoint
from estserver.deploy.zappa.live_version import AS_IT_IS, WHOLLY, LiveVersion, Service
from estserver.deploy.zappa.schedules import Schedules
from estserver.deploy.zappa.stage import ZappaStage
from estserver.deploy.zappa.stage import rights as zappa_rights

# Steps


def preparation(deployment: Deployment) -> list[AnyStep]:
    """Return the steps before `zappa deploy`, which uploads into a bucket and hands out roles."""
    for_iot = (
        [deployment_roles.provisioning_role(deployment)] if deployment.has_provisioning_role else []
    )
    return [
        named_resources.NamedResources(deployment),
        *_database(deployment),
        *deployment_buckets.buckets(deployment),
        secrets_kms_key.SecretsKey(deployment),
        *ca_keys.first_keys(deployment),
        *(function_role(deployment, stage) for stage in STAGES),
        *_logins(deployment),
        deployment_roles.gateway_log_role(deployment),
        *for_iot,
        gateway_account.GatewayAccount(deployment),
        *(group for stage in STAGES for group in logs.log_groups(deployment, stage)),
    ]


def restoration(deployment: Deployment) -> list[AnyStep]:
    """Return the steps that take back what `aws_destroy` did to keys and secrets.

    Keys come first, because secrets are encrypted with one of them.
    """
    return [ca_keys.RestoredKeys(deployment), ca_secrets.RestoredSecrets(deployment)]


def _database(deployment: Deployment) -> list[AnyStep]:
    """The database's own steps, first: without a database, nothing is worth making."""
    if has_cluster(deployment):
        return [cluster.DatabaseCluster(deployment), *_backups(deployment)]
    if not stack_name(deployment):
        return []

    def called() -> set[str]:
        return called_services(function_policy(deployment, stage) for stage in STAGES)

    return [database_stack.DatabaseStackStep(deployment, called)]


def _backups(deployment: Deployment) -> list[AnyStep]:
    if not deployment.config.properties.database_backup_days:
        return []
    return [
        backups.BackupVault(deployment),
        deployment_roles.backup_role(deployment),
        backups.BackupPlan(deployment),
    ]


def _logins(deployment: Deployment) -> list[AnyStep]:
    """What lets the functions' roles log in at the cluster."""
    return [DatabaseRoles(deployment)] if has_cluster(deployment) else []


def guarding(deployment: Deployment, stage: StageName) -> list[AnyStep]:
    """Return the steps after `zappa deploy` before the function serves anybody.

    They close the default endpoint first. The admin's setup comes after them, in the function.
    """
    return [
        ZappaStage(deployment, stage),
        *_environment(deployment, stage),
        waf.WebAcl(deployment),
        *_guards(deployment, stage),
    ]


def opening(
    deployment: Deployment,
    stage: StageName,
    service: Service = WHOLLY,
    *,
    adopts: bool = False,
) -> list[AnyStep]:
    """Return the steps that put a stage in service, once it is guarded and set up.

    The version comes first and DNS last, so that DNS leads no client to a stage that cannot
    answer.
    """
    return [
        *_in_service(deployment, stage, service),
        *_doors(deployment, stage, adopts=adopts),
        *watching(deployment),
    ]


def watching(deployment: Deployment) -> list[AnyStep]:
    """Return the steps for what an operator sees and is told. They are for both stages."""
    return [
        topic.TopicKey(deployment),
        topic.AlarmTopic(deployment),
        alarms.Alarms(deployment),
        dashboard.Dashboard(deployment),
    ]


def finishing(deployment: Deployment, stage: StageName, *, adopts: bool = False) -> list[AnyStep]:
    """Return the steps after `zappa deploy` or `zappa update` of a stage, but for the setup."""
    return [*guarding(deployment, stage), *opening(deployment, stage, adopts=adopts)]


def everything(
    deployment: Deployment,
    *,
    adopts: bool = False,
    stages: Sequence[StageName] = STAGES,
    also: Iterable[AnyStep] = (),
) -> list[AnyStep]:
    """Return all steps, each once.

    The steps in ``also`` are for resources that other apps make. They come last, so that a removal
    begins with them.
    """
    return [
        *preparation(deployment),
        waf.WebAcl(deployment),
        *(step for stage in stages for step in _of_stage(deployment, stage, adopts=adopts)),
        *watching(deployment),
        *also,
    ]


def removable(
    deployment: Deployment,
    *,
    with_secrets: bool = True,
    with_iot: bool = False,
    with_audit_heads: bool = False,
    with_database: bool = False,
) -> list[AnyStep]:
    """Return the steps that a removal undoes, in the order of deploying; it begins with the last.

    Secrets go before the key that they are encrypted with, and AWS IoT's resources before the role
    that it uses. Without ``with_iot`` that role stays, because a template may work with it. Without
    ``with_audit_heads`` the bucket of the audit trail's heads stays, because they are needed after
    the deployment. Without ``with_database`` the cluster stays, and what backs it up. The backups
    stay in any case, with the vault that they are in.
    """
    also: list[AnyStep] = []
    if with_secrets:
        also += [ca_secrets.Secrets(deployment), ca_keys.CAKeys(deployment)]
    if with_iot:
        also += [
            deployment_roles.provisioning_role(deployment),
            iot_leftovers.IoTLeftovers(deployment),
        ]
    kept: tuple[type[AnyStep], ...] = (deployment_roles.ProvisioningRole, DatabaseRoles)
    if not with_database:
        kept += (cluster.DatabaseCluster, backups.BackupPlan, deployment_roles.BackupRole)
    if not with_secrets:
        kept += (secrets_kms_key.SecretsKey,)
    if not with_audit_heads:
        kept += (LockedBucket,)
    return [*(step for step in everything(deployment) if not isinstance(step, kept)), *also]


def _of_stage(deployment: Deployment, stage: StageName, *, adopts: bool) -> list[AnyStep]:
    return [
        ZappaStage(deployment, stage),
        *_environment(deployment, stage),
        *_guards(deployment, stage),
        *_in_service(deployment, stage, AS_IT_IS),
        *_doors(deployment, stage, adopts=adopts),
    ]


def _environment(deployment: Deployment, stage: StageName) -> list[AnyStep]:
    """What a version of the function fixes, so it comes before the version."""
    own: list[AnyStep] = [AdminEndpoint(deployment)] if stage == "admin" else []
    return [function_environment.FunctionEnvironment(deployment, stage), *own]


def _in_service(deployment: Deployment, stage: StageName, service: Service) -> list[AnyStep]:
    schedules: list[AnyStep] = [Schedules(deployment)] if stage == "admin" else []
    return [LiveVersion(deployment, stage, service), *schedules]


def _guards(deployment: Deployment, stage: StageName) -> list[AnyStep]:
    schedule: list[AnyStep] = (
        [schedule_states.ScheduleStates(deployment)] if stage == "admin" else []
    )
    return [
        lockdown.Lockdown(deployment, stage),
        integration_timeout.IntegrationTimeout(deployment, stage),
        lockdown.Throttling(deployment, stage),
        *concurrency.reservations(deployment, stage),
        logs.AccessLog(deployment, stage),
        waf.WebAclAssociation(deployment, stage),
        tracing.Tracing(deployment, stage),
        *schedule,
    ]


def _doors(deployment: Deployment, stage: StageName, *, adopts: bool) -> list[AnyStep]:
    domains = deployment.domains_of(stage)
    trusted: list[AnyStep] = [FirstTruststore(deployment)] if stage == "est" else []
    return [
        *trusted,
        *(domain.CustomDomain(deployment, each, adopts) for each in domains),
        *(root_mapping.RootMapping(deployment, each) for each in domains),
        *(dns.AliasRecords(deployment, each, adopts) for each in domains),
    ]


# Rights


def function_role(deployment: Deployment, stage: StageName) -> Role:
    """Return the role of a stage's function, with all that the function may do."""
    return deployment_roles.function_role(
        deployment, stage, partial(function_policy, deployment, stage)
    )


def function_policy(
    deployment: Deployment, stage: StageName, keys: KeysInUse = NO_KEYS
) -> Document:
    """Return what a stage's function may do, with these keys in KMS."""
    return functions.policy_of_function(deployment, stage, _rights(deployment), keys)


def successor_key(
    deployment: Deployment, signer: str, key: str, key_algorithm: str
) -> list[AnyStep]:
    """Return the steps that make the key of a successor, and let the functions sign with it."""
    return [
        ca_keys.key_for_successor(deployment, signer, key, key_algorithm),
        *(function_role(deployment, stage) for stage in STAGES),
    ]


def deployer_policies(deployment: Deployment) -> dict[str, Document]:
    """Return what the person who deploys may do, but for `aws_destroy`, by the policies' names."""
    return deployer.policies_to_deploy(deployment, _rights(deployment))


def remover_policies(deployment: Deployment) -> dict[str, Document]:
    """Return what `aws_destroy` takes besides, by the policy's name."""
    return deployer.policies_to_remove(deployment, _rights(deployment))


def _rights(deployment: Deployment) -> list[ResourceRights]:
    """What each module of steps says about the rights to its resource."""
    return [
        named_resources.rights(deployment),
        account_rights(deployment),
        deployment_buckets.rights(deployment),
        deployment_roles.rights(deployment),
        gateway_account.rights(deployment),
        domain.rights(deployment),
        lockdown.rights(deployment),
        zappa_rights(deployment),
        waf.rights(deployment),
        dns.rights(deployment),
        logs.rights(deployment),
        concurrency.rights(deployment),
        topic.rights(deployment),
        alarms.rights(deployment),
        dashboard.rights(deployment),
        schedule_states.rights(deployment),
        tracing.rights(deployment),
        secrets_kms_key.rights(deployment),
        ca_keys.rights(deployment),
        ca_secrets.rights(deployment),
        iot_leftovers.rights(deployment),
        database_stack.rights(deployment),
        *_database_rights(deployment),
        truststore_rights(deployment),
    ]


def _database_rights(deployment: Deployment) -> list[ResourceRights]:
    """The rights to a cluster that the configuration asks for, without a look at the account."""
    if not may_have_cluster(deployment):
        return []
    found = [cluster.rights(deployment)]
    if deployment.config.properties.database_backup_days:
        found += [backups.rights(deployment), deployment_roles.backup_rights(deployment)]
    return found
