"""What a cluster can do, beside what AWS's adapter says of it."""

from aurora_dsql_django import features


class DatabaseFeatures(features.DatabaseFeatures):
    """The adapter's, for statements that keep to the syntax on AWS's pages."""

    # A new column has a name and a type, and no word after it, not even NULL:
    # https://docs.aws.amazon.com/aurora-dsql/latest/userguide/alter-table-syntax-support.html
    implied_column_null = True
    # A cluster has no setting for it, which `pki.record.compilation` would change.
    compiles_statements = False
