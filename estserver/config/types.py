"""What values the configuration takes: for each kind a rule, and the rule in words.

Rules are classes of our own, which pydantic asks for its kind of rule only when it validates: a
Lambda, which is handed validated values, neither imports pydantic nor compiles a pattern.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pki import choices
from pki.csr.key_algorithms import CA_KEY_ALGORITHMS

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema


@dataclass(frozen=True)
class Expectation:
    """What a value has to be, in words that complete the sentence "wanted ..."."""

    text: str


class Rule(ABC):
    """What a value of the right type has to fulfil besides."""

    @abstractmethod
    def allows(self, value: Any) -> bool:
        """Whether ``value`` fulfils it."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        from pydantic_core import core_schema

        def check(value: Any) -> Any:
            if not self.allows(value):
                raise ValueError("not allowed")  # Wanted has the words
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))


class Interval(Rule):
    """Numbers from ``ge`` to ``le``, both included."""

    def __init__(self, *, ge: int, le: int) -> None:
        self.ge = ge
        self.le = le

    def allows(self, value: int) -> bool:
        """Whether ``value`` lies between."""
        return self.ge <= value <= self.le


class Pattern(Rule):
    """Texts that match a regular expression as a whole, in which a word is ASCII."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def allows(self, value: str) -> bool:
        """Whether ``value`` matches."""
        return re.fullmatch(self.pattern, value, re.ASCII) is not None


class OneOf(Rule):
    """Values of a list."""

    def __init__(self, *values: int | str) -> None:
        self.values = values

    @property
    def expectation(self) -> Expectation:
        """The values in words, for the words of a file."""
        return Expectation(f"one of {', '.join(map(str, self.values))}")

    def allows(self, value: int | str) -> bool:
        """Whether ``value`` is in it."""
        return value in self.values


class CIDR(Rule):
    """Networks with their prefix length."""

    def allows(self, value: str) -> bool:
        """Whether ``value`` is one, with no host bits set."""
        import ipaddress  # a Lambda, which is handed validated values, needs none of it

        try:
            ipaddress.ip_network(value)
        except ValueError:
            return False
        return "/" in value


def _matching(pattern: str) -> Pattern:
    return Pattern(pattern)


# Each type is a rule for values and the words for it. A pattern that ends in "|" takes "" as well.
_HOST = (
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_DOTTED = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+"

Years = Annotated[int, Interval(ge=1, le=100), Expectation("a whole number of years from 1 to 100")]
LambdaSeconds = Annotated[
    int, Interval(ge=1, le=900), Expectation("a whole number of seconds from 1 to 900")
]
# 29 s is API Gateway's limit until an account's quota for Regional REST APIs is raised.
GatewaySeconds = Annotated[
    int, Interval(ge=1, le=300), Expectation("a whole number of seconds from 1 to 300")
]
CommonName = Annotated[
    str,
    _matching(r"[^\x00-\x1f\x7f]{1,64}"),  # RFC 5280 A.1: ub-common-name is 64
    Expectation("a common name of 1 to 64 characters"),
]
DomainName = Annotated[
    str, _matching(rf"{_HOST}|"), Expectation('a host name such as est.example.com, or ""')
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
DatabaseUrl = Annotated[
    str,
    Expectation(
        "postgresql://user:password@host:port/name, dsql://user@host/postgres, sqlite:///path, "
        'or ""'
    ),
]
DatabaseSecretName = Annotated[
    str,
    # RDS names its own "rds!cluster-<id>"; an ARN says whose it is.
    _matching(r"[A-Za-z0-9/_+=.@!:-]{1,2048}|"),
    Expectation('the name or ARN of a secret in Secrets Manager, or ""'),
]
Regex = Annotated[str, Expectation('a regular expression, or ""')]
TagKey = Annotated[
    str,
    _matching(r"(?!(?i:aws:)).{1,128}"),
    Expectation("a tag key of 1 to 128 characters that doesn't start with aws:"),
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
RequestSeconds = Annotated[
    int, Interval(ge=0, le=20), Expectation("a whole number of seconds from 0 to 20")
]

_KEY_ALGORITHMS = OneOf(*CA_KEY_ALGORITHMS)
_IDENTITY_RULES = OneOf(*choices.IdentityRule)
_POP_LINKING = OneOf(*choices.POPLinking)
_IOT_PROVISIONING = OneOf("", *choices.IoTProvisioning)

KeyAlgorithm = Annotated[str, _KEY_ALGORITHMS, _KEY_ALGORITHMS.expectation]
IdentityRule = Annotated[str, _IDENTITY_RULES, _IDENTITY_RULES.expectation]
PopLinking = Annotated[str, _POP_LINKING, _POP_LINKING.expectation]
IoTProvisioning = Annotated[str, _IOT_PROVISIONING, _IOT_PROVISIONING.expectation]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
CACertificateMode = Literal["SNI_ONLY", "DEFAULT"]
LambdaRuntime = Literal["python3.11", "python3.12", "python3.13"]
LambdaArchitecture = Literal["x86_64", "arm64"]


Network = Annotated[str, CIDR(), Expectation("a network such as 192.0.2.0/24 or 2001:db8::/32")]
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
    int, Interval(ge=1, le=10_000), Expectation("a whole number of requests from 1 to 10000")
]
_RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
RetentionDays = Annotated[
    int,
    OneOf(*_RETENTIONS),
    Expectation(f"days as CloudWatch counts them: {', '.join(map(str, _RETENTIONS))}"),
]
SubnetId = Annotated[str, _matching(r"subnet-[0-9a-f]{8,17}"), Expectation("a subnet's id")]
SecurityGroupId = Annotated[
    str, _matching(r"sg-[0-9a-f]{8,17}"), Expectation("a security group's id")
]
TopicArn = Annotated[
    str,
    _matching(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}|"),
    Expectation('the ARN of an SNS topic (arn:aws:sns:...), or ""'),
]
