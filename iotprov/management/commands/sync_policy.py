"""Push the IoT policy to AWS IoT."""

from iotprov.documents.sync_command import SyncCommand
from iotprov.models import DocumentVersion


class Command(SyncCommand):
    """See ``help``."""

    help = (
        "Push the IoT policy in force to AWS IoT: the newest version on record, or the configured "
        "file if there is none. A target that has it already is left as it is."
    )
    kind = DocumentVersion.Kind.POLICY
