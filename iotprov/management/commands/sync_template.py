"""Push the provisioning template to AWS IoT."""

from iotprov.documents.sync_command import SyncCommand
from iotprov.models import DocumentVersion


class Command(SyncCommand):
    """See ``help``."""

    help = (
        "Push the provisioning template in force (the newest version on record, or the configured "
        "file if there is none) and its role to AWS IoT. Run sync_policy first. A target that has "
        "it already is left as it is."
    )
    kind = DocumentVersion.Kind.TEMPLATE
