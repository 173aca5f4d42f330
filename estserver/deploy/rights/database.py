"""From the configuration's choice of a database to the address that a function gets.

This is the one place where the choice becomes a ``DATABASE_URL``.
"""

from estserver.config.database import has_password
from estserver.deploy.deployment import Deployment, StageName
from estserver.deploy.rights.database_stack import find_stack
from estserver.deploy.rights.dsql_cluster import cluster_in_use


def url_for_function(deployment: Deployment, stage: StageName) -> str:
    """Return the ``DATABASE_URL`` of a stage's function; "" when the package says it.

    A URL with a password is in no package, and so is one that is known only once AWS has made the
    database. Raises ``OperatorError``.
    """
    if stack := find_stack(deployment):
        return stack.url
    if cluster := cluster_in_use(deployment):
        return cluster.url(stage)
    url: str = deployment.config.properties.database_url
    return url if has_password(url) else ""
