"""The statement about API Gateway's control plane, whose actions are HTTP's methods."""

from estserver.deploy.deployment import Deployment
from estserver.deploy.rights.statements import Statement, allow

CHANGE_TRUSTSTORE = "apigateway:AddCertificateToDomain"
"""The action that a domain's truststore takes beside POST or PATCH.
https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonapigatewaymanagement.html
"""


def control_plane(deployment: Deployment, *paths: str) -> Statement:
    """Allow every method below these paths.

    API Gateway chooses the id of an API when it makes it, so a path cannot be narrower than a
    collection. A path that ends with a star is the collection with what is in it, because the star
    stands for nothing, too.
    """
    return allow(
        "Gateway",
        [
            "apigateway:DELETE",
            "apigateway:GET",
            "apigateway:PATCH",
            "apigateway:POST",
            "apigateway:PUT",
            "apigateway:SetWebACL",
        ],
        [deployment.gateway_arn(path) for path in paths],
    )
