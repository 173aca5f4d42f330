"""The CA's tables. Rows are facts. Services beside this package decide and change them."""

from pki.models.audit import AuditEvent
from pki.models.authority import CertificateAuthority
from pki.models.certificate import IssuedCertificate
from pki.models.denylist import DenylistBatch, DenylistEntry
from pki.models.generation import Generation
from pki.models.job import Job, JobLine, JobPart
from pki.models.profile import CertificateProfile

__all__ = [
    "AuditEvent",
    "CertificateAuthority",
    "CertificateProfile",
    "DenylistBatch",
    "DenylistEntry",
    "Generation",
    "IssuedCertificate",
    "Job",
    "JobLine",
    "JobPart",
]
