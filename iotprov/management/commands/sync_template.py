"""Make AWS IoT hold our provisioning template."""

from iotprov.models import DocumentVersion
from iotprov.sync_command import SyncCommand


class Command(SyncCommand):
    """See ``help``."""

    help = (
        "Make AWS IoT hold the provisioning template that is in force (the newest version on "
        "record, else iotTemplatePath), with the role that it works with. The policy goes first: "
        "see sync_policy. What is there already is left as it is."
    )
    kind = DocumentVersion.Kind.TEMPLATE
