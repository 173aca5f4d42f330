"""Whether a profile may change: no switch to AWS IoT after which devices could not become things.

At an enrollment it would be too late to say so, because the device gets its certificate.
"""

from iotprov.documents.versions import body_in_force
from iotprov.exceptions import DocumentError
from iotprov.models import DocumentVersion
from iotprov.provisioning.impossible_things import uses_template
from iotprov.template.contents import Template
from iotprov.template.lacking_attributes import LackingAttributes, lacking_attributes
from iotprov.template.reader import parse_template
from pki.models import CertificateProfile
from pki.record.setting_problems import SettingProblem, SettingsRefused


def check_switch(before: CertificateProfile, after: CertificateProfile) -> None:
    """Refuse a change after which more certificates could lack what the template takes.

    A profile that could lack as much before may change in every other respect. Raises
    ``SettingsRefused``.
    """
    if not uses_template(after.iot_provisioning):
        return
    try:
        template = parse_template(body_in_force(DocumentVersion.Kind.TEMPLATE))
    except DocumentError:
        return  # check iotprov.E001 and each push report it
    lacking = _lacking(template, after).beyond(_lacking(template, before))
    if lacking:
        sentence = (
            f"{lacking.sentence(after.name)} A device without them would enroll and never become "
            "a thing. Take the parameters out of the template first, or let the profile allow and "
            "require the attributes (serialNumber: is_serial_number_required)."
        )
        raise SettingsRefused([SettingProblem("iot_provisioning", sentence)])


def _lacking(template: Template, profile: CertificateProfile) -> LackingAttributes:
    if not uses_template(profile.iot_provisioning):
        return LackingAttributes()
    return lacking_attributes(template, profile)
