"""Refuse a policy or template that another project made (threat T60)."""

from iotprov.conf import IoTTarget, setting_name
from iotprov.documents.aws_documents import DefaultVersion
from iotprov.documents.versions import Kind, name_of
from iotprov.ownership import refuse_resource_of_another

_WORDS = {Kind.POLICY: ("policy", "policy_name"), Kind.TEMPLATE: ("template", "template_name")}


def refuse_document_of_another(kind: Kind, target: IoTTarget, found: DefaultVersion) -> None:
    """Raise ``OperatorError`` if the document at ``target`` belongs to another project.

    Raises ``RemoteFailure`` when its tags cannot be read.
    """
    word, setting = _WORDS[kind]
    refuse_resource_of_another(
        target,
        f"The {word} {name_of(kind)}",
        found.arn,
        f"Take {setting_name(setting)} out of the configuration, or set it to a name of this project's own.",
    )
