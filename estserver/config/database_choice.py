"""Which kind of database a configuration leads to on AWS, where there is no SQLite.

Nothing is asked of AWS. What the deployment makes of the choice is in `estserver.deploy.rights`.
"""

from typing import TYPE_CHECKING

from estserver.config.database import DSQL

if TYPE_CHECKING:
    from estserver.config.keys import Properties

_DSQL_SCHEME = "dsql:"


def takes_cluster(values: "Properties") -> bool:
    """Whether the deployment is to make a cluster: by ``database``, or by naming no database."""
    if values.database:
        return values.database == DSQL
    return not (values.database_url or values.database_secret_name)


def is_on_dsql(values: "Properties") -> bool:
    """Whether the database is Aurora DSQL: the deployment's cluster, or one that a URL names."""
    return takes_cluster(values) or values.database_url.startswith(_DSQL_SCHEME)
