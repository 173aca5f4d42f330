"""Refuse what another project made in AWS IoT: policies, templates and registrations of CAs.

Two projects may share an account, and then also its AWS IoT (threat T60). ``pki.aws.ownership`` has
the rule. A role of another account may lack the right to read tags, as the roles did that were made
for earlier versions. Then nothing is refused, because everything else in that account is allowed by
its owner one by one.
"""

import logging

from iotprov.client import calling, is_code
from iotprov.conf import IoTTarget
from pki.aws.ownership import refuse_of_another, tags_of
from pki.conf import pki_settings
from pki.operators.errors import RemoteFailure

logger = logging.getLogger(__name__)

_DENIED = ("AccessDeniedException", "NotAuthorizedException", "UnauthorizedException")


def refuse_resource_of_another(target: IoTTarget, what: str, arn: str, remedy: str) -> None:
    """Raise ``OperatorError`` if the resource at ``target`` belongs to another project.

    ``what`` begins the sentence, and ``remedy`` says what to do. Raises ``RemoteFailure``.
    https://docs.aws.amazon.com/iot/latest/apireference/API_ListTagsForResource.html
    """
    tags: dict[str, str] = {}
    try:
        with calling(target, "iot", "ListTagsForResource") as iot:
            pages = iot.get_paginator("list_tags_for_resource").paginate(resourceArn=arn)
            for page in pages:
                tags |= tags_of(page["tags"])
    except RemoteFailure as failure:
        if not is_code(failure, *_DENIED):
            raise
        logger.info("the tags of %s were not read: %s", arn, failure)
    refuse_of_another(f"{what} at {target.name}", tags, pki_settings().project_name, remedy)
