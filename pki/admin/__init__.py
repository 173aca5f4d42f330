"""The web admin of the CA: facts to read, and operations that call the services.

No row is edited here. What an operator may do is an ``Operation``: a page that says what would
happen, a reason, and a POST that calls the function which the command calls too.
"""

from pki.admin.audit import AuditEventAdmin
from pki.admin.authorities import CertificateAuthorityAdmin
from pki.admin.certificates import IssuedCertificateAdmin
from pki.admin.denylist import DenylistEntryAdmin
from pki.admin.facts import FactAdmin
from pki.admin.operations import Done, Operation, Question, ReasonForm, SelectedOperation
from pki.admin.profiles import CertificateProfileAdmin

__all__ = [
    "AuditEventAdmin",
    "CertificateAuthorityAdmin",
    "CertificateProfileAdmin",
    "DenylistEntryAdmin",
    "Done",
    "FactAdmin",
    "IssuedCertificateAdmin",
    "Operation",
    "Question",
    "ReasonForm",
    "SelectedOperation",
]
