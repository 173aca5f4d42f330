"""Whether the secret that `databaseSecretName` names is there, without a look at its content."""

from estserver.deploy.deployment import Deployment
from estserver.deploy.engine.calls import ask_if_any
from pki.operators.errors import RemoteFailure


def database_secret_problem(deployment: Deployment) -> str:
    """Return why the functions cannot read the database's secret, as a phrase; "" if they can.

    Whoever deploys has no right to a secret's content, so its form is not looked at here.
    """
    name = deployment.config.properties.database_secret_name
    if not name:
        return ""
    try:
        found = ask_if_any("secretsmanager", "DescribeSecret", SecretId=name)
    except RemoteFailure as error:
        return f"databaseSecretName is {name}, which cannot be looked at: {str(error).rstrip('.')}"
    if found is None:
        return (
            f"databaseSecretName is {name}, and Secrets Manager has no such secret in "
            f"{deployment.region} (make it there, correct its name, or leave it out: then the "
            "deployment makes a database)"
        )
    if found.get("DeletedDate"):
        return (
            f"databaseSecretName is {name}, which is to be deleted (restore it in Secrets "
            "Manager, or name another)"
        )
    return ""
