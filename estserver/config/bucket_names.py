"""The names of buckets that the configuration does not name."""

AUDIT_HEADS = "audit"
"""The purpose, and so the name's second part, of the bucket for the audit trail's heads."""


def bucket_name(project: str, purpose: str, account: str, region: str) -> str:
    """Return a bucket's name. All accounts share one list of names, and the account's number in it
    makes them unique.
    """
    return f"{project}-{purpose}-{account}-{region}"
