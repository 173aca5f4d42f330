"""AWS's prices in us-east-1, as data; `docs/prices.md` has the same table."""

from dataclasses import dataclass

READ_IN = "November 2026"


@dataclass(frozen=True, slots=True)
class Price:
    """A price in US dollars. ``free`` is how many of its units AWS charges nothing for."""

    what: str
    dollars: float
    unit: str
    page: str
    free: float = 0
    """A month and account, for as long as AWS has that account, not for its first year only."""

    def of(self, count: float) -> float:
        """Return what ``count`` units cost, as if the account used nothing else for free."""
        return max(count - self.free, 0) * self.dollars


SECRET = Price("secret", 0.40, "month", "https://aws.amazon.com/secrets-manager/pricing/")
SECRET_CALLS = Price(
    "calls to Secrets Manager", 0.05, "10,000", "https://aws.amazon.com/secrets-manager/pricing/"
)
KEY = Price("KMS key", 1.00, "month", "https://aws.amazon.com/kms/pricing/")
EC_SIGNATURES = Price("signatures with an EC key", 0.15, "10,000", KEY.page)
RSA_SIGNATURES = Price("signatures with an RSA_2048 key", 0.03, "10,000", KEY.page)
ALARM = Price("alarm", 0.10, "month", "https://aws.amazon.com/cloudwatch/pricing/", free=10)
METRIC = Price("metric of our own", 0.30, "month", ALARM.page, free=10)
DASHBOARD = Price("dashboard", 3.00, "month", ALARM.page, free=3)
LOGS = Price("log lines taken in", 0.50, "GB", ALARM.page, free=5)
WEB_ACL = Price("WAF access list", 5.00, "month", "https://aws.amazon.com/waf/pricing/")
WAF_RULE = Price("WAF rule", 1.00, "month", WEB_ACL.page)
WAF_REQUESTS = Price("requests that WAF looks at", 0.60, "million", WEB_ACL.page)
DPU = Price(
    "Aurora DSQL's work",
    8.00,
    "million DPU",
    "https://aws.amazon.com/rds/aurora/dsql/pricing/",
    free=0.1,
)
DSQL_STORAGE = Price("Aurora DSQL's storage", 0.33, "GB and month", DPU.page, free=1)
PUTS = Price("objects put into S3", 0.005, "1,000", "https://aws.amazon.com/s3/pricing/")
S3_STORAGE = Price("S3's storage", 0.023, "GB and month", PUTS.page)
INVOCATIONS = Price(
    "Lambda invocations", 0.20, "million", "https://aws.amazon.com/lambda/pricing/", free=1
)
GB_SECONDS = Price(
    "Lambda's time, x86_64", 16.6667, "million GB-seconds", INVOCATIONS.page, free=0.4
)
REQUESTS = Price(
    "requests to a REST API", 3.50, "million", "https://aws.amazon.com/api-gateway/pricing/"
)
REGISTRY = Price(
    "operations of AWS IoT's registry", 1.25, "million", "https://aws.amazon.com/iot-core/pricing/"
)
TRACES = Price("traces", 5.00, "million", "https://aws.amazon.com/xray/pricing/", free=0.1)

ALL = (
    SECRET,
    SECRET_CALLS,
    KEY,
    EC_SIGNATURES,
    RSA_SIGNATURES,
    ALARM,
    METRIC,
    DASHBOARD,
    LOGS,
    WEB_ACL,
    WAF_RULE,
    WAF_REQUESTS,
    DPU,
    DSQL_STORAGE,
    PUTS,
    S3_STORAGE,
    INVOCATIONS,
    GB_SECONDS,
    REQUESTS,
    REGISTRY,
    TRACES,
)


def as_table() -> str:
    """Return the table of `docs/prices.md`."""
    rows = [
        f"| {price.what} | {_plain(price.dollars)} | {price.unit} | {price.free:g} | "
        f"<{price.page}> |"
        for price in ALL
    ]
    head = ["| What | Dollars | for each | free a month | AWS's page |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def _plain(number: float) -> str:
    return f"{number:.2f}" if number == round(number, 2) else f"{number:g}"
