"""The record of AWS IoT: documents, registered CAs, and each certificate's provisioning."""

from iotprov.models.documents import (
    DocumentPush,
    DocumentVersion,
    PolicyVersion,
    TemplateVersion,
)
from iotprov.models.provisioning import Provisioning
from iotprov.models.registration import CARegistration
from iotprov.models.withdrawal import CAWithdrawal

__all__ = [
    "CARegistration",
    "CAWithdrawal",
    "DocumentPush",
    "DocumentVersion",
    "PolicyVersion",
    "Provisioning",
    "TemplateVersion",
]
