"""Checks of a deployment on AWS. They are the rows of ``aws_status``."""

from collections.abc import Iterator

from django.conf import settings

from estserver.operations.report_rows import Row


def is_on_aws() -> bool:
    """Return whether the configuration names the domain that a deployment to AWS needs."""
    return bool(settings.CONFIG.properties.api_custom_domain_name)


def deployment_rows() -> Iterator[Row]:
    """Look at what is deployed: the default endpoint, TLS policy, roles, quotas, truststore.

    A function's own role may look at the truststore alone, so there the rest is left to
    ``aws_status`` on the machine of a person who deploys.
    """
    if not is_on_aws():
        return
    # Imported here: a start of the admin's function loads the doctor, and not the deployment.
    from estserver.deploy.deployment import current_deployment
    from estserver.deploy.lifecycle.status import status, truststore_rows
    from estserver.deploy.recipe import everything

    deployment = current_deployment()
    if settings.IS_LAMBDA:
        yield from truststore_rows(deployment, is_here=True)
    else:
        yield from status(deployment, everything(deployment))
