"""Every key of the section ``Properties``, as frozen values: its type, its default, what it is for.

A field's type says what is allowed, and the docstring below it what it is for. Refusals and
``docs/configuration.md`` are written from these two. A field that `repr` leaves out is a secret,
and refusals do not quote it.

See `estserver.config.entries` for what must not import this module.
"""
# ruff: noqa: S105 - names of secrets are no secrets

from collections.abc import Mapping
from dataclasses import dataclass, field

from estserver.config.entries import (
    DEFAULT_SIGNERS,
    FILE_FORMAT,
    IoTTargetConfig,
    SignerConfig,
)
from estserver.config.second_factor import SecondFactorRule
from estserver.config.types import (
    AllowedHost,
    BackupDays,
    CACertificateMode,
    CertificateArn,
    CommonName,
    DatabaseChoice,
    DatabaseSecretName,
    DatabaseUrl,
    DomainName,
    DrainSeconds,
    EmailAddress,
    FilePath,
    FractionalYears,
    GatewaySeconds,
    HostAndPort,
    IdentityRule,
    IdleMinutes,
    IoTProvisioning,
    KeyAlgorithm,
    KMSKeyArn,
    LambdaArchitecture,
    LambdaRuntime,
    LambdaSeconds,
    LogLevel,
    Network,
    OptionalClassPath,
    OptionalFilePath,
    OptionalSecretName,
    PolicyName,
    PopLinking,
    Port,
    ProviderRole,
    ProviderUrl,
    Regex,
    Region,
    RequestSeconds,
    RoleName,
    SecondFactorChoice,
    SecretName,
    SessionHours,
    SignerAlias,
    SMTPSecurity,
    SMTPUser,
    TemplateName,
    TopicArn,
    Years,
)
from pki import choices
from pki.csr import key_algorithms


@dataclass(frozen=True, kw_only=True)
class Properties:
    """How the server behaves: the section ``Properties``."""

    __pydantic_config__ = FILE_FORMAT

    # The EST service
    api_custom_domain_name: DomainName = ""
    """The domain that devices call. Only there does API Gateway do mutual TLS."""
    api_certificate_arn: CertificateArn = ""
    """The domain's server certificate, in ACM."""
    api_ownership_verification_certificate_arn: CertificateArn = ""
    """A public ACM certificate for the same domain. It is needed when the server certificate is
    imported or comes from a private CA.
    """
    bootstrap_domain_name: DomainName = ""
    """A second domain of the device side, without mutual TLS, for devices that have no certificate
    yet. It serves `/cacerts` and `/csrattrs`, and enrolls nothing.
    """
    bootstrap_certificate_arn: CertificateArn = ""
    """That domain's server certificate, in ACM."""
    admin_domain_name: DomainName = ""
    """The domain that people call. Not set is the default endpoint of the admin's API."""
    admin_certificate_arn: CertificateArn = ""
    """That domain's server certificate, in ACM."""
    admin_allowed_networks: tuple[Network, ...] = ()
    """The networks from which the admin may be reached. Not set is everywhere."""
    admin_idle_minutes: IdleMinutes = 30
    """After how many minutes without a request a session of the admin ends."""
    admin_session_hours: SessionHours = 8
    """After how many hours a session of the admin ends, however much it is used."""
    admin_two_persons: bool = False
    """Have a second person confirm in the admin what one person asks of a CA: a successor, its
    retirement, distrust. The commands on the server stay as they are.
    """
    oidc_issuer: ProviderUrl = ""
    """The issuer of an OpenID provider, by whose accounts people sign in to the admin besides
    passwords, on servers of your own (docs/people.md). Not set is none.
    """
    oidc_client_id: str = ""
    """The name that the provider has given to this server."""
    oidc_client_secret_file: OptionalFilePath = ""
    """The file with the secret of that name. The environment's EST_OIDC_CLIENT_SECRET wins."""
    oidc_groups_claim: str = "groups"
    """The claim with a person's groups, in the ID token or in userinfo."""
    oidc_roles: Mapping[str, ProviderRole] = field(default_factory=dict, hash=False)
    """The role that the members of a group at the provider have here, by the group's name. A person
    without such a group does not get in.
    """
    admin_second_factor: SecondFactorChoice = SecondFactorRule.REQUIRED.value
    """Whether people who sign in to the admin give a code of a second factor besides the password.
    With `required`, a person who has none sets it up before any other page. With `optional`, only
    those who have set one up are asked. With `none`, no code is asked of anybody.
    """
    api_strict_headers_check: bool = True
    """Refuse an enrollment whose Content-Type is not application/pkcs10."""
    content_transfer_encoding_header: bool = True
    """Send `Content-Transfer-Encoding: base64`. RFC 7030 clients expect it, and RFC 8951 clients
    ignore it.
    """
    allowed_hosts: tuple[AllowedHost, ...] = ("localhost", "127.0.0.1", "[::1]")
    """The host names that the server answers to. A list of yours replaces the default.
    apiCustomDomainName is always added.
    """
    est_address: HostAndPort = ""
    """Where devices reach a server of your own: in the commands that the console and `test_enroll`
    show, and in a test enrollment. Not set is this machine. It belongs into allowedHosts too. On
    Lambda, where apiCustomDomainName is the address, the key has no effect.
    """
    trusted_balancers: tuple[Network, ...] = ()
    """The networks of TCP balancers in front of a server of your own, such as a cluster's. They may
    say whose connection they pass on (PROXY protocol, version 2), and none of the bounds for an
    address holds for them. Without a balancer, leave it out. On Lambda, the key has no effect.
    """
    drain_seconds: DrainSeconds = 5
    """How long a server of your own goes on taking connections after SIGTERM, while `/readyz` says
    503. A balancer needs as long to notice: choose its interval of checks, times the failures that
    it waits for, and a second more. Without a balancer choose 0, to stop at once. On Lambda, the
    key has no effect.
    """
    metrics_token_path: OptionalFilePath = ""
    """A file with the token that Prometheus sends to read `/metrics` at the admin of a server of
    your own: 32 characters or more, such as `openssl rand -hex 32` makes. It is read at each
    request. The environment's EST_METRICS_TOKEN wins. Without either there is no such page, nor is
    there one on Lambda.
    """
    webhook_allowed_hosts: tuple[AllowedHost, ...] = ()
    """Hosts that a webhook may lead to although their addresses are not public, such as one in your
    own network. Every other host must have public addresses only.
    """
    notice_emails: tuple[EmailAddress, ...] = ()
    """Who gets a mail when a notice of the overview opens, and when it is solved. This takes
    smtpHost.
    """
    notice_email_from: EmailAddress = ""
    """The sender of these mails. Not set is est-server@ and the name of smtpHost."""
    notice_topic_arn: TopicArn = ""
    """A topic of SNS that gets the same messages. The admin's function may publish to it, and to no
    other.
    """
    smtp_host: DomainName = ""
    """The mail server that takes the mails."""
    smtp_port: Port = 587
    """Its port."""
    smtp_security: SMTPSecurity = "starttls"
    """How the connection to it is encrypted: `starttls`, `tls` (port 465 in most cases), or `none`.
    """
    smtp_user: SMTPUser = ""
    """The name to log in with. Not set is no login."""
    smtp_password_secret_name: OptionalSecretName = ""
    """A secret in Secrets Manager with the password. The environment's EST_SMTP_PASSWORD wins."""
    database_url: DatabaseUrl = field(default="", repr=False)
    """The database. Not set is SQLite in the data directory. The environment's DATABASE_URL wins.
    Percent-encode special characters of user and password.
    """
    database_secret_name: DatabaseSecretName = ""
    """A secret in Secrets Manager with the address and the credentials of PostgreSQL: a URL as in
    databaseUrl, or RDS's own JSON (`host`, `port`, `dbname`, `username`, `password`). What it
    leaves out stands in databaseUrl (`postgresql://host:port/name`), and so does another host, such
    as an RDS Proxy's. It is read when a connection is made.
    """
    database: DatabaseChoice = ""
    """The database that a deployment to AWS uses. `dsql` is a cluster of Aurora DSQL, which the
    deployment makes. `stack NAME` is the database of a CloudFormation stack that was made from
    config/database-stack.yaml, and puts the functions into its VPC. If it is not set, the database
    is that of databaseUrl or databaseSecretName, and `dsql` without either. Outside of AWS, the key
    has no effect.
    """
    database_backup_days: BackupDays = 35
    """Days that AWS Backup keeps the daily backups of the Aurora DSQL cluster that the deployment
    makes. With 0 there are no backups.
    """
    database_kms_key_arn: KMSKeyArn = ""
    """A key of yours in KMS that encrypts the Aurora DSQL cluster which the deployment makes. Not
    set is a key that AWS owns, which costs nothing. The key's policy has to let Aurora DSQL use it.
    """
    secret_key_secret_name: SecretName = "est/secret-key"
    """The secret in Secrets Manager that admin sessions are signed with, on Lambda. The first
    deployment makes it. The environment's EST_SECRET_KEY wins.
    """
    # The client CA: who may connect
    est_mtls_ca_secrets_name: SecretName = "estMtlsCaSecrets"
    """Where clientCaSigner is `secretsmanager`: the secret that holds the client CA's certificate
    and key, as JSON `{"certificate": PEM, "key": PEM}`.
    """
    est_mtls_ca_cert_validity: Years = 10
    """Years that the client CA is valid."""
    est_mtls_client_secrets_name: SecretName = "estMtlsClientSecrets"
    """Secret that holds the first client's certificate and key, in the same format."""
    est_mtls_client_pfx_secret_name: SecretName = "estMtlsClientPfx"
    """Secret that holds the first client's PKCS #12 file, without password."""
    est_mtls_client_cert_validity: Years = 10
    """Years that a client certificate of the client CA is valid."""
    client_ca_key_algorithm: KeyAlgorithm = key_algorithms.KeyAlgorithm.EC_P256.value
    """Key of a generated client CA."""
    client_ca_subject: CommonName = "EST Client CA"
    """Common name of a generated client CA."""
    client_ca_signer: SignerAlias = "keyfile"
    """Alias of the client CA's signer."""
    # The device CA: what is issued
    iot_core_est_ca_cert_secret_name: SecretName = "estIotCoreCaSecretCert4"
    """Where deviceCaSigner is `secretsmanager`: the secret that holds the device CA's certificate,
    PEM.
    """
    iot_core_est_ca_key_secret_name: SecretName = "estIotCoreCaSecretKey4"
    """Secret that holds the device CA's key, PEM. A secret that says NULL or NONE is filled."""
    iot_core_est_ca_validity_years: Years = 10
    """Years that the device CA is valid."""
    iot_device_cert_validity_years: FractionalYears = 1
    """Years of 365 days that a device certificate is valid, in whole days: 0.5 is 182 days."""
    device_ca_key_algorithm: KeyAlgorithm = key_algorithms.KeyAlgorithm.EC_P256.value
    """Key of a generated device CA."""
    device_ca_subject: CommonName = "EST Device CA"
    """Common name of a generated device CA."""
    device_ca_signer: SignerAlias = "keyfile"
    """Alias of the device CA's signer. If it is not set, a device CA with a certificate and no key
    uses `external`.
    """
    signers: Mapping[str, SignerConfig] = field(
        default_factory=lambda: dict(DEFAULT_SIGNERS), hash=False
    )
    """Ways to sign, by alias: `{BACKEND: dotted path, OPTIONS: {...}}`. Yours are added to the
    default ones.
    """
    external_signer_class: OptionalClassPath = ""
    """A class of yours that has certificates signed by an external PKI. It defines the alias
    `external`.
    """
    # Who may enroll which thing
    identity_rule: IdentityRule = choices.IdentityRule.FIRST_USE.value
    """Which client certificate may enroll a thing name, in the first profile. `first-use`: the one
    that enrolled the name first. `same-cn`: one with the same common name. `pattern`: as
    identityPattern says. `allow-list`: as the client's list in the admin says. `any`: every one.
    """
    identity_pattern: Regex = ""
    """For the rule `pattern`: a regular expression that the client certificate's common name
    matches. Its group `(?P<name>...)` is the thing name that the client may enroll.
    """
    serial_number_required: bool = False
    """Refuse a CSR without a serialNumber in its subject."""
    adopt_unknown_names: bool = False
    """Let a client re-enroll a thing name that was never enrolled here, for a fleet that comes from
    the CDK sample. Switch it off when the fleet has renewed once.
    """
    pop_linking: PopLinking = choices.POPLinking.IGNORE.value
    """What happens to a CSR with a challengePassword (RFC 7030 3.5), which cannot be verified
    behind API Gateway. `ignore` accepts it, and logs it as unverified. `refuse` refuses it.
    """
    enrollment_hook_class: OptionalClassPath = ""
    """A class of yours that is called before and after each enrollment."""
    # AWS IoT
    aws_region: Region = ""
    """The region of everything in AWS. Not set is the environment's: AWS_REGION, or the profile's.
    """
    iot_provisioning: IoTProvisioning = ""
    """How certificates of the first profile become things. `jitp`: AWS IoT makes the thing at the
    device's first connection. `register`: the server makes it before. `none`: AWS IoT is not
    called. Not set follows configureJITP: `jitp` if that is true, else `none`.
    """
    iot_targets: tuple[IoTTargetConfig, ...] = ()
    """Where devices connect: a list of `name`, `region` and `roleArn`. The last is a role to
    assume, for another account. Not set is one target, `default`: this account, in awsRegion.
    """
    iot_ca_certificate_mode: CACertificateMode = "SNI_ONLY"
    """How the device CA is registered. `SNI_ONLY`, which AWS recommends: devices must send the
    server's name (SNI), and several accounts may have the CA. `DEFAULT`: one account a region.
    """
    iot_provisioning_role_name: RoleName = "ESTServerDeviceProvisioningRole"
    """The role that JITP makes things with."""
    iot_request_seconds: RequestSeconds = 4
    """How long a request may wait for AWS IoT. The outbox does what is left."""
    iot_template_path: FilePath = "config/iot_template_default.json"
    """The provisioning template's body."""
    iot_template_name: TemplateName = "est_iot_provisioning_template"
    """The provisioning template's name in AWS IoT."""
    iot_policy_path: FilePath = "config/iot_policy_default.json"
    """The device policy's document."""
    iot_policy_name: PolicyName = "est_iot_policy_default"
    """The device policy's name in AWS IoT."""
    # Lambda and API Gateway
    lambda_logger_level: LogLevel = "INFO"
    """How much the server logs."""
    lambda_timeout_seconds: LambdaSeconds = 60
    """Time limit of an invocation on the device side. The admin's function may run for 900 seconds,
    Lambda's maximum, because it migrates the database.
    """
    lambda_runtime: LambdaRuntime = "python3.13"
    """The Lambda runtime that packages are made for. That Python must be installed where they are
    made. AWS ends support for python3.11 in June 2027, for the others in 2028 and 2029.
    """
    lambda_architecture: LambdaArchitecture = "x86_64"
    """The processor that packages are made for. `arm64` costs less. It takes python3.12 or later,
    because the C library of python3.11's runtime is too old for psycopg's wheels.
    """
    api_gateway_integration_timeout_seconds: GatewaySeconds = 29
    """How long API Gateway waits for the Lambda: at most lambdaTimeoutSeconds. More than 29 needs
    a raised account quota ("Maximum integration timeout in milliseconds").
    """
    custom_secret_name: SecretName = "customSecret"
    """A secret in Secrets Manager for externalSignerClass. EST_CUSTOM_SECRET wins over it."""
