"""The web admin of AWS IoT: template and policy, registered CAs, the outbox.

As in ``pki.admin`` no row is edited: an operation calls the function which the command calls too.
AWS is asked where an operator presses a button that says so, and nowhere else.
"""

from iotprov.admin.documents import PolicyVersionAdmin, TemplateVersionAdmin
from iotprov.admin.provisioning import ProvisioningAdmin
from iotprov.admin.registrations import CARegistrationAdmin

__all__ = [
    "CARegistrationAdmin",
    "PolicyVersionAdmin",
    "ProvisioningAdmin",
    "TemplateVersionAdmin",
]
