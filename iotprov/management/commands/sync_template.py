"""Make AWS IoT hold our provisioning template."""

from iotprov.documents.sync_command import SyncCommand
from iotprov.models import DocumentVersion


class Command(SyncCommand):
    """See ``help``."""

    help = (
        "Make AWS IoT hold the provisioning template that is in force (the newest version on "
        "record, else the configured file), with the role that it works with. The policy goes "
        "first: see sync_policy. What is there already is left as it is."
    )
    kind = DocumentVersion.Kind.TEMPLATE
