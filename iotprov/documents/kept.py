"""Documents that an earlier release accepted, and that stay in use although a new one is refused.

A rule that came later must not stop an installation. A text that is on record as a version, or as
pushed, got there before the rule, because a new text is checked before it is recorded.
"""

from iotprov.models import DocumentPush, DocumentVersion
from iotprov.models.documents import sha256_of


def is_kept(kind: str, body: str) -> bool:
    """Return whether this very text is on record, as a version or as pushed to a target."""
    return (
        DocumentVersion.objects.filter(kind=kind, body=body).exists()
        or DocumentPush.objects.filter(kind=kind, body_sha256=sha256_of(body)).exists()
    )
