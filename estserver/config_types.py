"""What values the configuration takes: for each kind a rule, and the rule in words.

The constraints are those of ``annotated_types``: pydantic understands them, and they load without
it.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval, MinLen, Predicate


@dataclass(frozen=True)
class Wanted:
    """What a value has to be, in words that complete the sentence "wanted ..."."""

    text: str


def _matching(pattern: str) -> Predicate:
    compiled = re.compile(pattern, re.ASCII)

    def matches(value: str) -> bool:
        return compiled.fullmatch(value) is not None

    return Predicate(matches)


# Each type is a rule for values and the words for it. A pattern that ends in "|" takes "" as well.
_HOST = (
    r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_DOTTED = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+"

Years = Annotated[int, Interval(ge=1, le=100), Wanted("a whole number of years from 1 to 100")]
LambdaSeconds = Annotated[
    int, Interval(ge=1, le=900), Wanted("a whole number of seconds from 1 to 900")
]
# 29 s is API Gateway's limit until an account's quota for Regional REST APIs is raised.
GatewaySeconds = Annotated[
    int, Interval(ge=1, le=300), Wanted("a whole number of seconds from 1 to 300")
]
CommonName = Annotated[
    str,
    _matching(r"[^\x00-\x1f\x7f]{1,64}"),  # RFC 5280 A.1: ub-common-name is 64
    Wanted("a common name of 1 to 64 characters"),
]
DomainName = Annotated[
    str, _matching(rf"{_HOST}|"), Wanted('a host name such as est.example.com, or ""')
]
AllowedHost = Annotated[
    str,
    # No "*" and no ".example.com": a Host header must name this server (threat T04).
    _matching(rf"{_HOST}|\[[0-9A-Fa-f:.]+\]"),
    Wanted("a host name or IP address without wildcard, IPv6 in brackets"),
]
CertificateArn = Annotated[
    str,
    _matching(r"arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[A-Za-z0-9-]+|"),
    Wanted('the ARN of an ACM certificate (arn:aws:acm:...:certificate/...), or ""'),
]
SecretName = Annotated[
    str,
    _matching(r"[A-Za-z0-9/_+=.@-]{1,512}"),
    Wanted("a Secrets Manager name: 1 to 512 characters of A-Z a-z 0-9 / _ + = . @ -"),
]
TemplateName = Annotated[
    str,
    _matching(r"[0-9A-Za-z_-]{1,36}"),
    Wanted("an AWS IoT template name: 1 to 36 characters of A-Z a-z 0-9 _ -"),
]
PolicyName = Annotated[
    str,
    _matching(r"[\w+=,.@-]{1,128}"),
    Wanted("an AWS IoT policy name: 1 to 128 characters of A-Z a-z 0-9 _ + = , . @ -"),
]
FilePath = Annotated[str, MinLen(1), Wanted("the path of a file")]
OptionalFilePath = Annotated[str, Wanted('the path of a file, or ""')]
ClassPath = Annotated[
    str, _matching(_DOTTED), Wanted("the dotted path of a class, such as package.module.Class")
]
OptionalClassPath = Annotated[
    str,
    _matching(rf"{_DOTTED}|"),
    Wanted('the dotted path of a class, such as package.module.Class, or ""'),
]
SignerAlias = Annotated[
    str, _matching(r"[A-Za-z0-9_-]+"), Wanted("the alias of an entry of signers")
]
DatabaseUrl = Annotated[
    str, Wanted('postgresql://user:password@host:port/name, sqlite:///path, or ""')
]
Regex = Annotated[str, Wanted('a regular expression, or ""')]
TagKey = Annotated[
    str,
    _matching(r"(?!(?i:aws:)).{1,128}"),
    Wanted("a tag key of 1 to 128 characters that doesn't start with aws:"),
]
TagValue = Annotated[str, _matching(r".{0,256}"), Wanted("a tag value of up to 256 characters")]

Region = Annotated[
    str,
    _matching(r"[a-z]{2}(-[a-z]+)+-\d|"),
    Wanted('an AWS region such as eu-central-1, or ""'),
]
RoleArn = Annotated[
    str,
    _matching(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}|"),
    Wanted('the ARN of an IAM role (arn:aws:iam::123456789012:role/...), or ""'),
]
RoleName = Annotated[
    str,
    _matching(r"[\w+=,.@-]{1,64}"),
    Wanted("an IAM role name: 1 to 64 characters of A-Z a-z 0-9 _ + = , . @ -"),
]
TargetName = Annotated[
    str,
    _matching(r"[a-z0-9][a-z0-9-]{0,39}"),
    Wanted("a short name: 1 to 40 characters of a-z 0-9 -"),
]
RequestSeconds = Annotated[
    int, Interval(ge=0, le=20), Wanted("a whole number of seconds from 0 to 20")
]

KeyAlgorithm = Literal["ec-p256", "ec-p384", "rsa-2048", "rsa-3072", "rsa-4096"]
IdentityRule = Literal["first-use", "same-cn", "pattern", "allow-list", "any"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
PopLinking = Literal["ignore", "refuse"]
IoTProvisioning = Literal["", "jitp", "register", "none"]
CACertificateMode = Literal["SNI_ONLY", "DEFAULT"]


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return False
    return "/" in value


Network = Annotated[
    str, Predicate(_is_network), Wanted("a network such as 192.0.2.0/24 or 2001:db8::/32")
]
ProjectName = Annotated[
    str,
    _matching(r"[a-z][a-z0-9-]{0,28}[a-z0-9]"),
    Wanted("a short name: 2 to 30 characters of a-z 0-9 -, beginning with a letter"),
]
BucketName = Annotated[
    str,
    # No dots: the name becomes a host name, which AWS's certificate must cover.
    _matching(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]|"),
    Wanted('the name of an S3 bucket: 3 to 63 characters of a-z 0-9 -, or ""'),
]
HostedZoneId = Annotated[
    str, _matching(r"Z[A-Z0-9]{1,31}|"), Wanted('the id of a Route 53 hosted zone, or ""')
]
RequestRate = Annotated[
    int, Interval(ge=1, le=10_000), Wanted("a whole number of requests from 1 to 10000")
]
_RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653)
RetentionDays = Annotated[
    int,
    Predicate(_RETENTIONS.__contains__),
    Wanted(f"days as CloudWatch counts them: {', '.join(map(str, _RETENTIONS))}"),
]
SubnetId = Annotated[str, _matching(r"subnet-[0-9a-f]{8,17}"), Wanted("a subnet's id")]
SecurityGroupId = Annotated[str, _matching(r"sg-[0-9a-f]{8,17}"), Wanted("a security group's id")]
TopicArn = Annotated[
    str,
    _matching(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}|"),
    Wanted('the ARN of an SNS topic (arn:aws:sns:...), or ""'),
]
