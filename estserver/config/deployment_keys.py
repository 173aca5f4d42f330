"""Every key of the section ``DeploymentOptions``. `estserver.config.keys` has the other section.

See `estserver.config.entries` for what must not import this module.
"""

from dataclasses import dataclass

from estserver.config.entries import FILE_FORMAT, Tag
from estserver.config.types import (
    BucketName,
    Concurrency,
    EmailAddress,
    HostedZoneId,
    LockDays,
    OptionalFilePath,
    ProjectName,
    RequestRate,
    RetentionDays,
    SecurityGroupId,
    SubnetId,
    TopicArn,
)


@dataclass(frozen=True, kw_only=True)
class DeploymentOptions:
    """What is set up once: the section ``DeploymentOptions``."""

    __pydantic_config__ = FILE_FORMAT

    m_tls_truststore_certificates_chain_file: OptionalFilePath = ""
    """PEM file of the CAs whose clients may connect. Not set is a generated client CA."""
    iot_core_ca_certificate_path: OptionalFilePath = ""
    """PEM file of a device CA of yours, for AWS IoT to trust."""
    iot_core_ca_private_key_path: OptionalFilePath = ""
    """PEM file of that CA's key. Not set when an external PKI signs."""
    generate_iot_ca_certificate: bool = True
    """Generate a self-signed device CA. Ignored when iotCoreCaCertificatePath is set, or the
    deviceCaSigner has a CA of its own.
    """
    configure_jitp: bool = True
    """true: AWS IoT gets the provisioning template and the policy, and devices become things at
    their first connection (JITP). false: it gets neither. See iotProvisioning too.
    """
    tags: tuple[Tag, ...] = ()
    """Tags for all AWS resources: a list of `key` and `value`."""
    project_name: ProjectName = "est-server"
    """What the names of all AWS resources begin with. A second installation in the same account
    needs another one. Then the names of secrets, policy, template and provisioning role also begin
    with it, unless the file gives them (docs/projects.md).
    """
    truststore_bucket: BucketName = ""
    """Bucket of the CAs that API Gateway trusts. Not set is a name of the project, account and
    region.
    """
    package_bucket: BucketName = ""
    """Bucket that Zappa uploads through. Not set is a name of the project, account and region."""
    hosted_zone_id: HostedZoneId = ""
    """The Route 53 zone of the domains. Not set is the public zone of this account that holds them.
    Without one, set the DNS records yourself.
    """
    throttling_rate_limit: RequestRate = 50
    """Requests a second that each API lets through, on average."""
    throttling_burst_limit: RequestRate = 100
    """Requests that each API lets through at once."""
    reserved_concurrency: Concurrency = 0
    """How many of the account's concurrent executions Lambda reserves for the function of the
    device side. This is also the most that run at once, and so the most connections that they have
    to the database. 0 reserves none. A new account's quota may allow no reservation.
    """
    log_retention_days: RetentionDays = 90
    """How long logs stay. The audit trail is in the database and does not end with them."""
    audit_heads_retention_days: LockDays = 400
    """How long S3 locks the heads of the audit trail's chains, which are put into a bucket of their
    own each hour. Then they are deleted. The functions cannot delete them before.
    """
    log_client_certificate_body: bool = False
    """Write whole client certificates to the access log, beside subject, issuer and serial number.
    """
    waf_enabled: bool = True
    """Put AWS's common rules (WAF) in front of both APIs, for about 6 USD a month."""
    alarm_topic_arn: TopicArn = ""
    """An SNS topic of yours that the alarms report to. If it is not set, the deployment makes one.
    """
    alarm_email: EmailAddress = ""
    """The e-mail address that gets the alarms. AWS first sends a link to it, which a person has to
    open. It has no effect on a topic of yours (alarmTopicArn).
    """
    tracing: bool = False
    """Trace a sample of the requests with X-Ray, through API Gateway and the functions. AWS charges
    for each trace.
    """
    pause_idle_schedule: bool = True
    """Pause the minutely schedule on Lambda while there is nothing to do. An enrollment or a change
    that leaves work resumes it, with one call to EventBridge. With false, it runs each minute. Set
    false in a VPC that has no way to EventBridge.
    """
    function_policies_path: OptionalFilePath = ""
    """A JSON file with further IAM statements for the functions' roles, a list for each of `est`
    and `admin`, so that hooks and external PKIs can call AWS. The plan shows them (docs/aws.md).
    """
    vpc_subnet_ids: tuple[SubnetId, ...] = ()
    """Subnets of the functions, when the database is in a VPC. They need a way to AWS's APIs."""
    vpc_security_group_ids: tuple[SecurityGroupId, ...] = ()
    """Security groups of the functions, with vpcSubnetIds."""
