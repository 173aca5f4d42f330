"""What a cluster can do, and how much of it at once."""

from aurora_dsql_django import features


class DatabaseFeatures(features.DatabaseFeatures):
    """The adapter's, with the bound that our own code asks for."""

    rows_of_a_transaction = 3_000
    """https://docs.aws.amazon.com/aurora-dsql/latest/userguide/CHAP_quotas.html"""
