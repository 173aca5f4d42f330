"""What the names of the configuration lead to, looked at before anything is made or used.

The functions make the secrets, the policy and the template. A deployment looks at them first, so
that it stops before it has made anything: at what belongs to another project of the account (threat
T60), and at secrets that a removal has scheduled for deletion.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from estserver.config.project_names import DEFAULT_PROJECT
from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import ask_if_any
from estserver.deploy.engine.steps import DONE, Plan, Step
from estserver.deploy.lambda_signers import signers_in_use
from estserver.deploy.rights.keys_in_use import region_of
from estserver.deploy.rights.statements import ResourceRights, Statement, allow
from pki.aws.ownership import other_project, tags_of
from pki.choices import IoTProvisioning
from pki.operators.errors import OperatorError
from pki.signers.secretsmanager.signer import SecretsManagerSigner

_OF_CAS = {
    "device": ("iot_core_est_ca_key_secret_name", "iot_core_est_ca_cert_secret_name"),
    "client": (
        "est_mtls_ca_secrets_name",
        "est_mtls_client_secrets_name",
        "est_mtls_client_pfx_secret_name",
    ),
}
"""Fields that name the secrets of a purpose's first CA, the one with its key first."""
_IN_IOT = {"iot_policy_name": "policy", "iot_template_name": "provisioningtemplate"}
"""Fields that name a resource in AWS IoT, with the resource's type in its ARN."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name that the configuration gives or that follows from the project's."""

    field: str
    """The field of ``Properties``."""
    what: str
    """What it is a name of: ``secret``, ``policy``, ``template``."""
    name: str
    arn: str = ""
    """For AWS IoT, which takes no name to read tags."""
    region: str = ""
    """The region of a secret; "" for the deployment's."""

    @property
    def key(self) -> str:
        """The key of the configuration file."""
        from estserver.config.entries import key_name  # needs pydantic, which no package holds

        return key_name(self.field)


@dataclass(frozen=True, slots=True)
class SeenNamed:
    """What there is under a name."""

    named: Named
    tags: Mapping[str, str]
    deleted_at: datetime | None = None
    """When a secret is deleted for good."""


@dataclass(frozen=True, slots=True)
class SeenNames:
    """What there is under each name, and what an earlier version would have used instead."""

    found: tuple[SeenNamed, ...] = ()
    earlier: tuple[SeenNamed, ...] = ()
    """Under the CDK sample's names, while nothing is under the project's own."""
    has_function: bool = False
    """Whether the project is deployed already."""


def names(deployment: Deployment) -> list[Named]:
    """Return the names of secrets, policy and template that the deployment uses."""
    values = deployment.config.properties
    regions: dict[str, str] = {"secret_key_secret_name": "", "custom_secret_name": ""}
    # Step 1: the secrets of CAs, where they are in this account.
    for used in signers_in_use(deployment.config):
        if issubclass(used.signer, SecretsManagerSigner) and not used.options.get("roleArn"):
            for purpose in used.purposes:
                regions |= dict.fromkeys(_OF_CAS[purpose], region_of(deployment, used))
    if values.database_secret_name:
        regions["database_secret_name"] = ""
    found = [
        Named(field, "secret", getattr(values, field), region=region)
        for field, region in regions.items()
    ]
    # Step 2: what is in AWS IoT. Targets in other accounts are the functions' to look at.
    if _uses_iot(deployment):
        for field, kind in _IN_IOT.items():
            name = getattr(values, field)
            arn = deployment.arn("iot", f"{kind}/{name}")
            found.append(Named(field, kind.removeprefix("provisioning"), name, arn))
    return found


def _uses_iot(deployment: Deployment) -> bool:
    config = deployment.config
    targets = config.properties.iot_targets
    is_here = not targets or any(not target.role_arn for target in targets)
    is_on = config.deployment.configure_jitp or config.iot_provisioning != IoTProvisioning.NONE
    return is_on and is_here


def look_at(named: Named) -> SeenNamed | None:
    """Read what there is under a name; ``None`` for nothing. Raises ``RemoteFailure``."""
    if named.arn:
        answer = ask_if_any("iot", "ListTagsForResource", resourceArn=named.arn)
        return None if answer is None else SeenNamed(named, tags_of(answer.get("tags", [])))
    answer = ask_if_any(
        "secretsmanager", "DescribeSecret", region=named.region, SecretId=named.name
    )
    if answer is None:
        return None
    return SeenNamed(named, tags_of(answer.get("Tags", [])), answer.get("DeletedDate"))


@dataclass(frozen=True)
class NamedResources(Step[SeenNames]):
    """The names lead to nothing, to this project's resources, or to those of a person."""

    deployment: Deployment
    name = "names in the account"

    def look(self) -> SeenNames:
        """Read what there is under each name."""
        wanted = names(self.deployment)
        seen = [look_at(named) for named in wanted]
        missing = [one for one, there in zip(wanted, seen, strict=True) if there is None]
        earlier = [look_at(one) for one in self.earlier_names(missing)]
        function = (
            ask_if_any(
                "lambda",
                "GetFunctionConfiguration",
                FunctionName=self.deployment.function("admin"),
            )
            if any(earlier)
            else None
        )
        return SeenNames(
            tuple(filter(None, seen)), tuple(filter(None, earlier)), function is not None
        )

    def earlier_names(self, missing: list[Named]) -> list[Named]:
        """Return the CDK sample's names for what the file does not name, in another project."""
        if self.deployment.project == DEFAULT_PROJECT:
            return []
        from estserver.config.keys import Properties  # needs pydantic, which no package holds

        given = self.deployment.config.given
        return [
            Named(
                one.field,
                one.what,
                name := getattr(Properties, one.field),
                one.arn and one.arn.removesuffix(one.name) + name,
                one.region,
            )
            for one in missing
            if one.key not in given and one.field != "database_secret_name"
        ]

    def plan(self, seen: SeenNames) -> Plan:
        """Return nothing, because the functions make these.

        Raises ``OperatorError`` for what belongs to another project, for secrets that are scheduled
        for deletion, and for a project that an earlier version gave the names of another.
        """
        self._refuse_of_others(seen)
        self._refuse_deleted(seen)
        self._refuse_earlier_names(seen)
        return DONE

    def _refuse_of_others(self, seen: SeenNames) -> None:
        others = [one for one in seen.found if other_project(one.tags, self.deployment.project)]
        if not others:
            return
        listed = ", ".join(
            f"the {one.named.what} {one.named.name} ({one.named.key}) to "
            f"{other_project(one.tags, self.deployment.project)}"
            for one in others
        )
        raise OperatorError(
            f"What the configuration names belongs to another project of this account: {listed}. "
            "Take these keys out of the configuration, so that the names begin with "
            f"{self.deployment.project}, or give names of this project's own (docs/projects.md)."
        )

    def _refuse_deleted(self, seen: SeenNames) -> None:
        # What a person deletes is that person's to restore, and may not be needed.
        gone = [one for one in seen.found if one.deleted_at and self.deployment.is_ours(one.tags)]
        if not gone:
            return
        listed = ", ".join(one.named.name for one in gone)
        first = min(one.deleted_at for one in gone if one.deleted_at)
        names_them = " ".join(one.named.key for one in gone)
        raise OperatorError(
            f"The secrets {listed} are scheduled for deletion, from {first:%Y-%m-%d} on, as "
            "aws_destroy leaves them. To have this installation back with its CAs, run manage.py "
            "aws_deploy --prepare --restore, and then this command again. To start anew, name "
            f"other secrets ({names_them}), or delete these for good with aws secretsmanager "
            "delete-secret --force-delete-without-recovery --secret-id NAME, after which no "
            "certificate can be issued or revoked by the old CAs, and every device and client "
            "needs a certificate of the new ones."
        )

    def _refuse_earlier_names(self, seen: SeenNames) -> None:
        project = self.deployment.project
        # Step 1: an installation that is alone under these names keeps them.
        own = [one.named for one in seen.earlier if self.deployment.is_ours(one.tags)]
        if own:
            lines = "; ".join(f'{one.key}: "{one.name}"' for one in own)
            raise OperatorError(
                f"An earlier version made resources of the project {project} under the names of "
                f"the project {DEFAULT_PROJECT}. The names of this version begin with {project}, "
                "and the CAs' keys would not be found under them. Write these lines into "
                f"Properties of the configuration, and run the command again: {lines}."
            )
        # Step 2: one whose CAs are in another's secrets has to part from it.
        keys = {fields[0] for fields in _OF_CAS.values()}
        shared = [one for one in seen.earlier if one.named.field in keys]
        if shared and seen.has_function:
            listed = ", ".join(one.named.name for one in shared)
            owner = other_project(shared[0].tags, project) or "no project"
            lines = "; ".join(f'{one.named.key}: "{project}/{one.named.name}"' for one in shared)
            raise OperatorError(
                f"The project {project} was deployed by an earlier version, and shares the keys of "
                f"its CAs with {owner}: the secrets {listed}. docs/projects.md says how to part. "
                "When the CAs have successors of their own, write these lines into Properties of "
                f"the configuration, and run the command again: {lines}."
            )


def rights(deployment: Deployment) -> ResourceRights:
    """Return the rights to look at what the names lead to.

    Any secret is looked at, though not its value, to find out whose it is. One that does not exist
    has no ARN yet, so that a policy which names each would hold every name twice.
    """
    place = f"arn:{deployment.partition}:secretsmanager:*:{deployment.account}"
    looking = ["secretsmanager:DescribeSecret"]
    deploy: list[Statement] = [allow("LookAtNames", looking, f"{place}:secret:*")]
    named = names(deployment)
    in_iot = {one.arn for one in (*named, *NamedResources(deployment).earlier_names(named))}
    if arns := sorted(filter(None, in_iot)):
        deploy.append(allow("LookAtNamesInIoT", ["iot:ListTagsForResource"], arns))
    return ResourceRights(deploy=deploy)
