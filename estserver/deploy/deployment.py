"""What is to be deployed: the configuration, the account, and the name of each resource."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from django.conf import settings

from estserver.config import MADE_BY, Config
from estserver.config.bucket_names import AUDIT_HEADS, bucket_name
from estserver.config.function_policies import added_statements
from estserver.deploy.engine.calls import ask
from estserver.deploy.lambda_signers import for_lambda, key_alias, signers_in_use
from pki.aws.clients import aws_client
from pki.aws.ownership import refuse_of_another
from pki.operators.errors import OperatorError

StageName = Literal["est", "admin"]
STAGES: tuple[StageName, ...] = ("est", "admin")

STAGE_TAG = "est-server:stage"
LIVE = "live"
"""The alias that names the version of a function that is in service."""
ACM_ARN_REGION = 3
"""Where an ARN names the region: arn:partition:service:region:account:resource."""
KEY_DELETION_DAYS = 30
"""The longest that KMS waits. Until then a deletion can be cancelled, and secrets be read."""


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain name that API Gateway is to serve."""

    name: str
    stage: StageName
    certificate_arn: str
    certificate_key: str
    """The configuration's key for the certificate's ARN."""
    is_mutual_tls: bool = False
    ownership_certificate_arn: str = ""
    is_dualstack: bool = True
    """Whether it has IPv6 addresses too."""

    @property
    def certificates(self) -> dict[str, str]:
        """The ARNs of its certificates in ACM, "" for one that is not set, by their keys."""
        found = {self.certificate_key: self.certificate_arn}
        if self.ownership_certificate_arn:
            found["apiOwnershipVerificationCertificateArn"] = self.ownership_certificate_arn
        return found


@dataclass(frozen=True, slots=True)
class Deployment:
    """One installation in one account and region. Names follow from the project's name."""

    config: Config
    account: str
    region: str
    partition: str = "aws"

    @property
    def project(self) -> str:
        """The beginning of every name."""
        return self.config.deployment.project_name

    @property
    def domains(self) -> tuple[Domain, ...]:
        """The domains that the configuration names."""
        values = self.config.properties
        networks = values.admin_allowed_networks
        wanted = (
            Domain(
                values.api_custom_domain_name,
                "est",
                values.api_certificate_arn,
                "apiCertificateArn",
                is_mutual_tls=True,
                ownership_certificate_arn=values.api_ownership_verification_certificate_arn,
            ),
            Domain(
                values.bootstrap_domain_name,
                "est",
                values.bootstrap_certificate_arn,
                "bootstrapCertificateArn",
            ),
            Domain(
                values.admin_domain_name,
                "admin",
                values.admin_certificate_arn,
                "adminCertificateArn",
                # A person of an allowed IPv4 network would be shut out when calling over IPv6.
                is_dualstack=not networks or any(":" in network for network in networks),
            ),
        )
        return tuple(domain for domain in wanted if domain.name)

    @property
    def certificates(self) -> dict[str, str]:
        """The ARNs of all domains' certificates, by the configuration's keys for them."""
        return {key: arn for each in self.domains for key, arn in each.certificates.items()}

    def domains_of(self, stage: StageName) -> tuple[Domain, ...]:
        """Return the domains on which a stage answers."""
        return tuple(domain for domain in self.domains if domain.stage == stage)

    def function(self, stage: StageName) -> str:
        """Return the name that Zappa gives a function, its API and its CloudFormation stack."""
        return f"{self.project}-{stage}"

    def live_function(self, stage: StageName) -> str:
        """Return the name by which the version in service is called."""
        return f"{self.function(stage)}:{LIVE}"

    def role(self, stage: StageName) -> str:
        """Return the name of a function's role."""
        return f"{self.project}-{stage}-{self.region}"

    @property
    def gateway_log_role(self) -> str:
        """The role with which API Gateway writes logs, unless the account has one."""
        return f"{self.project}-gateway-logs-{self.region}"

    @property
    def backup_role(self) -> str:
        """The role with which AWS Backup copies the database."""
        return f"{self.project}-backup-{self.region}"

    @property
    def backup_vault(self) -> str:
        """The vault that the database's backups are in, and the plan that makes them."""
        return f"{self.project}-database"

    @property
    def truststore_bucket(self) -> str:
        """The bucket of the CAs that API Gateway trusts."""
        return self.config.deployment.truststore_bucket or self._bucket("truststore")

    @property
    def package_bucket(self) -> str:
        """The bucket that Zappa uploads through."""
        return self.config.deployment.package_bucket or self._bucket("packages")

    @property
    def log_bucket(self) -> str:
        """The bucket that S3 reports to who read and wrote the truststore."""
        return self._bucket("s3-logs")

    @property
    def audit_heads_bucket(self) -> str:
        """The bucket in which S3 locks the heads of the audit trail."""
        return self._bucket(AUDIT_HEADS)

    def _bucket(self, purpose: str) -> str:
        return bucket_name(self.project, purpose, self.account, self.region)

    @property
    def key_alias(self) -> str:
        """The KMS key that secrets are encrypted with."""
        return key_alias(self.config)

    @property
    def has_provisioning_role(self) -> bool:
        """Whether AWS IoT provisions devices in this account; targets with a role are in others."""
        targets = self.config.properties.iot_targets
        is_here = not targets or any(not target.role_arn for target in targets)
        return self.config.deployment.configure_jitp and is_here

    @property
    def web_acl(self) -> str:
        """The WAF's access list."""
        return self.project

    def function_log_group(self, stage: StageName) -> str:
        """Return the log group to which Lambda writes a function's output."""
        return f"/aws/lambda/{self.function(stage)}"

    def access_log_group(self, stage: StageName) -> str:
        """Return the log group to which API Gateway writes a line for each request."""
        return f"/aws/apigateway/{self.function(stage)}/access"

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN of this account and region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def role_arn(self, role: str) -> str:
        """Return a role's ARN, which has no region."""
        return f"arn:{self.partition}:iam::{self.account}:role/{role}"

    def gateway_arn(self, resource: str) -> str:
        """Return an ARN of API Gateway's control plane, which has no account."""
        return f"arn:{self.partition}:apigateway:{self.region}::{resource}"

    def stage_arn(self, api_id: str, stage: StageName) -> str:
        """Return the ARN of an API's stage."""
        return self.gateway_arn(f"/restapis/{api_id}/stages/{stage}")

    def tags(self, stage: StageName | Literal["shared"] = "shared") -> dict[str, str]:
        """Return the tags of each resource that this tool makes."""
        return {**dict(self.config.resource_tags), STAGE_TAG: stage}

    def tag_list(self, stage: StageName | Literal["shared"] = "shared") -> list[dict[str, str]]:
        """Return the tags in the shape that most services take."""
        return [{"Key": key, "Value": value} for key, value in self.tags(stage).items()]

    def is_ours(self, tags: Mapping[str, str]) -> bool:
        """Whether this tool made a resource with these tags, for this installation."""
        return tags.get(MADE_BY) == self.project

    def refuse_of_another(self, what: str, tags: Mapping[str, str], remedy: str) -> None:
        """Raise ``OperatorError`` if a resource with these tags belongs to another project.

        ``what`` begins the sentence (``The bucket x``), ``remedy`` says what to do (threat T60).
        """
        refuse_of_another(what, tags, self.project, remedy)


def current_deployment() -> Deployment:
    """Return what the configuration asks for, in the account of the credentials at hand.

    Raises ``RemoteFailure`` without credentials or region.
    """
    identity = ask("sts", "GetCallerIdentity")
    meta = aws_client("sts").meta
    return Deployment(
        for_lambda(settings.CONFIG),
        str(identity["Account"]),
        str(meta.region_name),
        str(meta.partition),
    )


def check_deployment(deployment: Deployment, also: Iterable[str] = ()) -> None:
    """Refuse a configuration that cannot be deployed, before anything is.

    ``also`` are problems that were found elsewhere. Raises ``OperatorError`` with every problem, a
    line each.
    """
    problems = [
        *_certificate_problems(deployment),
        *_signer_problems(deployment),
        *_added_statement_problems(deployment),
        *also,
    ]
    if not deployment.config.properties.api_custom_domain_name:
        problems.insert(
            0, "apiCustomDomainName is not set, and API Gateway has mutual TLS on such domains only"
        )
    if problems:
        listed = "".join(f"\n- {problem}." for problem in problems)
        raise OperatorError(
            f"This cannot be deployed:{listed}\nNothing is done yet. Correct the configuration or "
            "the account, and run the command again."
        )


def _certificate_problems(deployment: Deployment) -> Iterator[str]:
    for domain in deployment.domains:
        key = domain.certificate_key
        if not domain.certificate_arn:
            yield f"{key} is not set, and {domain.name} needs a server certificate in ACM"
            continue
        for name, arn in domain.certificates.items():
            region = arn.split(":")[ACM_ARN_REGION]
            if region != deployment.region:
                yield (
                    f"{name} is a certificate in {region}, and the deployment in "
                    f"{deployment.region} takes one of its own region"
                )


def _signer_problems(deployment: Deployment) -> Iterator[str]:
    for used in signers_in_use(deployment.config):
        if not used.signer.lasts_on_lambda:
            for key in used.keys:
                yield (
                    f"{key} is {used.alias}, and Lambda has no disk that lasts (choose "
                    "secretsmanager, the default there, kms, privateca or a signer of yours)"
                )


def _added_statement_problems(deployment: Deployment) -> Iterator[str]:
    path = deployment.config.deployment.function_policies_path
    if path:
        try:
            added_statements(deployment.config.resolve(path), STAGES[0])
        except OperatorError as error:
            yield str(error).rstrip(".")
