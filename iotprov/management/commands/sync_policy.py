"""Make AWS IoT hold our IoT policy."""

from iotprov.models import DocumentVersion
from iotprov.sync_command import SyncCommand


class Command(SyncCommand):
    """See ``help``."""

    help = (
        "Make AWS IoT hold the IoT policy that is in force: the newest version on record, else "
        "iotPolicyPath. What is there already is left as it is."
    )
    kind = DocumentVersion.Kind.POLICY
