"""Refuse a policy or template that another project made (threat T60)."""

from iotprov.conf import IoTTarget, setting_name
from iotprov.documents.aws_documents import DefaultVersion
from iotprov.documents.versions import Kind, name_of
from iotprov.ownership import refuse_resource_of_another


def refuse_document_of_another(kind: Kind, target: IoTTarget, found: DefaultVersion) -> None:
    """Raise ``OperatorError`` if the document at ``target`` belongs to another project.

    Raises ``RemoteFailure`` when its tags cannot be read.
    """
    if kind == Kind.POLICY:
        word, setting = "policy", setting_name("policy_name")
    else:
        word, setting = "template", setting_name("template_name")
    refuse_resource_of_another(
        target,
        f"The {word} {name_of(kind)}",
        found.arn,
        f"Take {setting} out of the configuration, or set it to a name of this project's own.",
    )
