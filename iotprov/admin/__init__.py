"""The web admin of AWS IoT: template and policy, registered CAs, the outbox.

Two files describe a page, as in ``pki.admin``: ``provisioning.py`` and
``provisioning_operations.py``, for example. AWS is called only when an operator presses a button
that says so.
"""

from iotprov.admin.documents import PolicyVersionAdmin, TemplateVersionAdmin
from iotprov.admin.provisioning import ProvisioningAdmin
from iotprov.admin.registrations import CARegistrationAdmin
from iotprov.admin.revocation_effects import effects_in_aws_iot

__all__ = [
    "CARegistrationAdmin",
    "PolicyVersionAdmin",
    "ProvisioningAdmin",
    "TemplateVersionAdmin",
    "effects_in_aws_iot",
]
