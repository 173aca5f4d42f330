"""What Aurora DSQL answers when it refuses a statement: SQLSTATE, message, and AWS's page."""

from dataclasses import dataclass

_GUIDE = "https://docs.aws.amazon.com/aurora-dsql/latest/userguide/"
SQL_FEATURES = f"{_GUIDE}working-with-postgresql-compatibility-supported-sql-features.html"
UNSUPPORTED = f"{_GUIDE}working-with-postgresql-compatibility-unsupported-features.html"
CREATE_TABLE = f"{_GUIDE}create-table-syntax-support.html"
ALTER_TABLE = f"{_GUIDE}alter-table-syntax-support.html"
CREATE_INDEX = f"{_GUIDE}create-index-syntax-support.html"
CREATE_SEQUENCE = f"{_GUIDE}create-sequence-syntax-support.html"
DATA_TYPES = f"{_GUIDE}working-with-postgresql-compatibility-supported-data-types.html"
DDL = f"{_GUIDE}working-with-ddl.html"
CONCURRENCY = f"{_GUIDE}working-with-concurrency-control.html"
QUOTAS = f"{_GUIDE}CHAP_quotas.html"
ROLES = f"{_GUIDE}using-database-and-iam-roles.html"
TOKENS = f"{_GUIDE}SECTION_authentication-token.html"
ASYNC_INDEXES = f"{_GUIDE}working-with-create-index-async.html"
LINT = "https://github.com/awslabs/aurora-dsql-tools/tree/main/dsql-lint"
"""The grammar that AWS derived from a real cluster (grammar/dsql_grammar.json), and the cases that
it runs against one (tests/dsql_cluster_test.rs). It decides what no page of the guide says."""
PG_DUMP = "https://github.com/awslabs/aurora-dsql-tools/tree/main/pgdump-proxy"
DJANGO_ADAPTER = "https://github.com/awslabs/aurora-dsql-orms/tree/main/python/django/reference"

FEATURE_NOT_SUPPORTED = "0A000"
SERIALIZATION_FAILURE = "40001"
LIMIT_EXCEEDED = "54000"
TOO_MANY_COLUMNS = "54011"
INVALID_AUTHORIZATION = "28000"


@dataclass(frozen=True)
class Refusal(Exception):
    """A statement or a login that the cluster refuses. ``page`` says why the gate does."""

    message: str
    page: str
    sqlstate: str = FEATURE_NOT_SUPPORTED

    def __str__(self) -> str:
        return f"{self.message} [{self.sqlstate}, {self.page}]"


def unsupported(statement: str, page: str = SQL_FEATURES) -> Refusal:
    """Return the refusal of a kind of statement, in DSQL's words for one (``LOCK`` is AWS's)."""
    return Refusal(f"unsupported statement: {statement}", page)


# AWS's texts. Both have the SQLSTATE 40001: OC000 and OC001 are in the message alone (CONCURRENCY).
DATA_CONFLICT = Refusal(
    "mutation conflicts with another transaction, retry as needed (OC000)",
    CONCURRENCY,
    SERIALIZATION_FAILURE,
)
SCHEMA_CONFLICT = Refusal(
    "schema has been updated by another transaction, please retry: (OC001)",
    CONCURRENCY,
    SERIALIZATION_FAILURE,
)
SECOND_DDL = Refusal("multiple ddl statements are not supported in a transaction", DDL)
DDL_BESIDE_DML = Refusal("ddl and dml are not supported in the same transaction", DDL)
ROWS = Refusal("transaction row limit exceeded", QUOTAS, LIMIT_EXCEEDED)
SIZE = Refusal("transaction size limit 10mb exceeded", QUOTAS, LIMIT_EXCEEDED)
COLUMN = Refusal("maximum column size exceeded", QUOTAS, LIMIT_EXCEEDED)
AGE = Refusal("transaction age limit of 300s exceeded", QUOTAS, LIMIT_EXCEEDED)
