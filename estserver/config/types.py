"""The types of the configuration's values. Each has its constraint, and the constraint in words.

The constraints are pydantic's. The words are an `Expectation`, because pydantic's own say what a
validator found, and a person asks what to write.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from estserver.config.second_factor import SecondFactorRule
from pki import choices
from pki.csr.key_algorithms import CA_KEY_ALGORITHMS


@dataclass(frozen=True)
class Expectation:
    """What a value has to be, in words that complete the sentence "wanted ..."."""

    text: str


def _matching(pattern: str) -> Any:
    """Return the constraint that a text matches as a whole, where a letter is an ASCII letter."""
    # Compiled, because only Python's patterns look ahead; \Z, because "$" allows a final newline.
    return Field(pattern=re.compile(rf"\A(?:{pattern})\Z", re.ASCII))


def _check_network(value: str) -> str:
    """Raise ValueError unless ``value`` is a network with a prefix length and no host bits."""
    ipaddress.ip_network(value)
    if "/" not in value:
        raise ValueError("no prefix length")
    return value


def _one_of(*allowed: int | str) -> Any:
    """Return the constraint that a value is one of ``allowed``."""

    def check(value: int | str) -> int | str:
        if value not in allowed:
            raise ValueError("not one of them")
        return value

    return AfterValidator(check)


def _naming(*allowed: str) -> Expectation:
    """Return the words of `_one_of`."""
    words = [each or '""' for each in allowed]
    return Expectation(f"one of {', '.join(words)}")


# A pattern that ends in "|" takes "" as well.
_HOST = (
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_DOTTED = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+"


def _upper(value: object) -> object:
    """Return a text in capitals; another value is left for the type to refuse."""
    return value.upper() if isinstance(value, str) else value


Years = Annotated[int, Field(ge=1, le=100), Expectation("a whole number of years from 1 to 100")]
IdleMinutes = Annotated[
    int, Field(ge=5, le=480), Expectation("a whole number of minutes from 5 to 480")
]
SessionHours = Annotated[
    int, Field(ge=1, le=24), Expectation("a whole number of hours from 1 to 24")
]
FractionalYears = Annotated[
    # The least is more than three days, so that a slip of the pen is no certificate of minutes.
    float,
    Field(ge=0.01, le=100, allow_inf_nan=False),
    Expectation("a number of years from 0.01 to 100"),
]
LambdaSeconds = Annotated[
    int, Field(ge=1, le=900), Expectation("a whole number of seconds from 1 to 900")
]
# API Gateway's limit is 29 s until an account's quota for Regional REST APIs is raised:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
GatewaySeconds = Annotated[
    int, Field(ge=1, le=300), Expectation("a whole number of seconds from 1 to 300")
]
CommonName = Annotated[
    str,
    _matching(r"[^\x00-\x1f\x7f]{1,64}"),  # RFC 5280 A.1: ub-common-name is 64
    Expectation("a common name of 1 to 64 characters"),
]
DomainName = Annotated[
    str, _matching(rf"{_HOST}|"), Expectation('a host name such as est.example.com, or ""')
]
HostAndPort = Annotated[
    str,
    _matching(rf"{_HOST}(:[1-9][0-9]{{0,4}})?|"),
    Expectation('a host name, with a port if it is not 443, such as est.example.com:8443, or ""'),
]
AllowedHost = Annotated[
    str,
    # No "*" and no ".example.com": a Host header must name this server (threat T04).
    _matching(rf"{_HOST}|\[[0-9A-Fa-f:.]+\]"),
    Expectation("a host name or IP address without wildcard, IPv6 in brackets"),
]
CertificateArn = Annotated[
    str,
    _matching(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+|"),
    Expectation('the ARN of an ACM certificate (arn:aws:acm:...:certificate/...), or ""'),
]
SecretName = Annotated[
    str,
    _matching(r"[A-Za-z0-9/_+=.@-]{1,512}"),
    Expectation("a Secrets Manager name: 1 to 512 characters of A-Z a-z 0-9 / _ + = . @ -"),
]
TemplateName = Annotated[
    str,
    _matching(r"[0-9A-Za-z_-]{1,36}"),
    Expectation("an AWS IoT template name: 1 to 36 characters of A-Z a-z 0-9 _ -"),
]
PolicyName = Annotated[
    str,
    _matching(r"[\w+=,.@-]{1,128}"),
    Expectation("an AWS IoT policy name: 1 to 128 characters of A-Z a-z 0-9 _ + = , . @ -"),
]
FilePath = Annotated[str, _matching(r"(?s:.)+"), Expectation("the path of a file")]
OptionalFilePath = Annotated[str, Expectation('the path of a file, or ""')]
ClassPath = Annotated[
    str, _matching(_DOTTED), Expectation("the dotted path of a class, such as package.module.Class")
]
OptionalClassPath = Annotated[
    str,
    _matching(rf"{_DOTTED}|"),
    Expectation('the dotted path of a class, such as package.module.Class, or ""'),
]
SignerAlias = Annotated[
    str, _matching(r"[A-Za-z0-9_-]+"), Expectation("the alias of an entry of signers")
]
# Plain HTTP is for a provider on this machine, as in a test.
ProviderUrl = Annotated[
    str,
    _matching(rf"(?:https://{_HOST}|http://(?:localhost|127\.0\.0\.1))(?::\d+)?(?:/[^\s?#]*)?|"),
    Expectation('an address that begins with https://, or ""'),
]
_ROLES = ("Viewer", "Operator", "CA officer", "Auditor", "People manager", "Superuser")
ProviderRole = Annotated[str, _one_of(*_ROLES), _naming(*_ROLES)]
DatabaseUrl = Annotated[
    str,
    Expectation(
        "postgresql://user:password@host:port/name, dsql://user@host/postgres, sqlite:///path, "
        'or ""'
    ),
]
DatabaseSecretName = Annotated[
    str,
    # RDS names its own secrets "rds!cluster-<id>". An ARN names the account as well.
    _matching(r"[A-Za-z0-9/_+=.@!:-]{1,2048}|"),
    Expectation('the name or ARN of a secret in Secrets Manager, or ""'),
]
DatabaseChoice = Annotated[
    str,
    # A stack's name: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html
    _matching(r"dsql|stack [A-Za-z][A-Za-z0-9-]{0,127}|"),
    Expectation('dsql, stack NAME with the name of a CloudFormation stack, or ""'),
]
KMSKeyArn = Annotated[
    str,
    _matching(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]{1,128}|"),
    Expectation('the ARN of a key in KMS (arn:aws:kms:eu-central-1:123456789012:key/...), or ""'),
]
Regex = Annotated[str, Expectation('a regular expression, or ""')]
TagKey = Annotated[
    str,
    _matching(r"(?!(?i:aws:)).{1,128}"),
    Expectation("a tag key of 1 to 128 characters that does not start with aws:"),
]
TagValue = Annotated[
    str, _matching(r".{0,256}"), Expectation("a tag value of up to 256 characters")
]

Region = Annotated[
    str,
    _matching(r"[a-z]{2}(-[a-z]+)+-\d|"),
    Expectation('an AWS region such as eu-central-1, or ""'),
]
RoleArn = Annotated[
    str,
    _matching(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}|"),
    Expectation('the ARN of an IAM role (arn:aws:iam::123456789012:role/...), or ""'),
]
RoleName = Annotated[
    str,
    _matching(r"[\w+=,.@-]{1,64}"),
    Expectation("an IAM role name: 1 to 64 characters of A-Z a-z 0-9 _ + = , . @ -"),
]
TargetName = Annotated[
    str,
    _matching(r"[a-z0-9][a-z0-9-]{0,39}"),
    Expectation("a short name: 1 to 40 characters of a-z 0-9 -"),
]
DrainSeconds = Annotated[
    int, Field(ge=0, le=300), Expectation("a whole number of seconds from 0 to 300")
]
RequestSeconds = Annotated[
    int, Field(ge=0, le=20), Expectation("a whole number of seconds from 0 to 20")
]

_PROVISIONING = ("", *choices.IoTProvisioning)
KeyAlgorithm = Annotated[str, _one_of(*CA_KEY_ALGORITHMS), _naming(*CA_KEY_ALGORITHMS)]
SecondFactorChoice = Annotated[str, _one_of(*SecondFactorRule), _naming(*SecondFactorRule)]
IdentityRule = Annotated[str, _one_of(*choices.IdentityRule), _naming(*choices.IdentityRule)]
PopLinking = Annotated[str, _one_of(*choices.POPLinking), _naming(*choices.POPLinking)]
IoTProvisioning = Annotated[str, _one_of(*_PROVISIONING), _naming(*_PROVISIONING)]
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(_upper),
    Expectation(f"one of {', '.join(_LOG_LEVELS)}, in any letter case"),
]
CACertificateMode = Literal["SNI_ONLY", "DEFAULT"]
LambdaRuntime = Literal["python3.11", "python3.12", "python3.13", "python3.14"]
LambdaArchitecture = Literal["x86_64", "arm64"]


Network = Annotated[
    str,
    AfterValidator(_check_network),
    Expectation("a network such as 192.0.2.0/24 or 2001:db8::/32"),
]
ProjectName = Annotated[
    str,
    _matching(r"[a-z][a-z0-9-]{0,28}[a-z0-9]"),
    Expectation("a short name: 2 to 30 characters of a-z 0-9 -, beginning with a letter"),
]
BucketName = Annotated[
    str,
    # No dots: the name becomes a host name, which AWS's certificate must cover.
    _matching(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]|"),
    Expectation('the name of an S3 bucket: 3 to 63 characters of a-z 0-9 -, or ""'),
]
HostedZoneId = Annotated[
    str, _matching(r"Z[A-Z0-9]{1,31}|"), Expectation('the id of a Route 53 hosted zone, or ""')
]
RequestRate = Annotated[
    int, Field(ge=1, le=10_000), Expectation("a whole number of requests from 1 to 10000")
]
Concurrency = Annotated[
    int,
    Field(ge=0, le=100_000),
    Expectation("a whole number of concurrent executions from 0 (none reserved) to 100000"),
]
# The days that CloudWatch Logs takes:
# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
_RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
RetentionDays = Annotated[
    int,
    _one_of(*_RETENTIONS),
    Expectation(f"days as CloudWatch counts them: {', '.join(map(str, _RETENTIONS))}"),
]
# S3 locks objects for 100 years at most:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
LockDays = Annotated[
    int, Field(ge=1, le=36_500), Expectation("a whole number of days from 1 to 36500")
]
BackupDays = Annotated[
    int, Field(ge=0, le=36_500), Expectation("a whole number of days from 0 to 36500")
]
SubnetId = Annotated[str, _matching(r"subnet-[0-9a-f]{8,17}"), Expectation("a subnet's id")]
SecurityGroupId = Annotated[
    str, _matching(r"sg-[0-9a-f]{8,17}"), Expectation("a security group's id")
]
EmailAddress = Annotated[
    str,
    _matching(r"[^@\s]{1,64}@[A-Za-z0-9.-]{1,255}|"),
    Expectation('an e-mail address such as night@example.com, or ""'),
]
TopicArn = Annotated[
    str,
    _matching(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}|"),
    Expectation('the ARN of an SNS topic (arn:aws:sns:...), or ""'),
]
SMTPSecurity = Literal["starttls", "tls", "none"]
Port = Annotated[int, Field(ge=1, le=65535), Expectation("a port from 1 to 65535")]
SMTPUser = Annotated[str, Expectation('the name that the mail server knows, or ""')]
OptionalSecretName = Annotated[
    str,
    _matching(r"[A-Za-z0-9/_+=.@-]{1,512}|"),
    Expectation('a Secrets Manager name: 1 to 512 characters of A-Z a-z 0-9 / _ + = . @ -, or ""'),
]
