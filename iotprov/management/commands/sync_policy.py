"""Make AWS IoT hold our IoT policy."""

from iotprov.documents.sync_command import SyncCommand
from iotprov.models import DocumentVersion


class Command(SyncCommand):
    """See ``help``."""

    help = (
        "Make AWS IoT hold the IoT policy that is in force: the newest version on record, else the "
        "configured file. What is there already is left as it is."
    )
    kind = DocumentVersion.Kind.POLICY
