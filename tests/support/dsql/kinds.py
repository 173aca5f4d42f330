"""What statements do, as far as the rules of a transaction differ."""

from enum import Enum


class Kind(Enum):
    """What a statement does, as far as a transaction's rules differ."""

    QUERY = "query"
    WRITE = "write"
    DDL = "ddl"
    BEGIN = "begin"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    SESSION = "session"
    ASYNC_INDEX = "async index"
    ASYNC_VALIDATION = "async validation"
    WAIT_FOR_JOB = "wait for job"
    IAM_GRANT = "iam grant"
