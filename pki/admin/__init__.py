"""The web admin of the CA: pages that show facts, and operations that call the services.

Two files describe a page: ``certificates.py`` has its columns, fields, filters and search, and
``certificate_operations.py`` has what an operator can do there. No row is edited. An ``Operation``
says what would happen, asks for a reason, and calls the function that the command calls too.
"""

from pki.admin.audit import AuditEventAdmin
from pki.admin.authorities import CertificateAuthorityAdmin
from pki.admin.certificates import IssuedCertificateAdmin
from pki.admin.denylist import DenylistEntryAdmin
from pki.admin.facts import FactAdmin
from pki.admin.jobs import JobAdmin
from pki.admin.operations import (
    Done,
    EmptyForm,
    ModelAdmin,
    Operation,
    Question,
    ReasonForm,
    SelectedOperation,
    text_field,
)
from pki.admin.profiles import CertificateProfileAdmin

__all__ = [
    "AuditEventAdmin",
    "CertificateAuthorityAdmin",
    "CertificateProfileAdmin",
    "DenylistEntryAdmin",
    "Done",
    "EmptyForm",
    "FactAdmin",
    "IssuedCertificateAdmin",
    "JobAdmin",
    "ModelAdmin",
    "Operation",
    "Question",
    "ReasonForm",
    "SelectedOperation",
    "text_field",
]
