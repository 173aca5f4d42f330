"""Reading the resources of a provisioning template: a thing, a certificate, its policies."""

from collections.abc import Collection, Mapping

from iotprov.json_text.located import Node
from iotprov.json_text.placeholders import with_examples
from iotprov.template.contents import (
    ATTRIBUTE_NAME,
    ATTRIBUTE_VALUE,
    MAX_ATTRIBUTES,
    MAX_ATTRIBUTES_WITHOUT_TYPE,
    THING_NAME,
    Expression,
    Override,
    Overrides,
    PolicyReference,
)
from iotprov.template.jitp import CERTIFICATE_ID, PREFIX
from iotprov.template.language import TemplateLanguage

THING = "AWS::IoT::Thing"
CERTIFICATE = "AWS::IoT::Certificate"
POLICY = "AWS::IoT::Policy"


class ResourceReader(TemplateLanguage):
    """Reads the parts of each resource, and lists what is wrong with them."""

    def resources_by_type(self, resources: Node) -> dict[str, list[Node]]:
        by_type: dict[str, list[Node]] = {THING: [], CERTIFICATE: [], POLICY: []}
        for name, node in resources.members.items():
            kind = node.data.get("Type") if isinstance(node.data, dict) else None
            if not isinstance(kind, str) or kind not in by_type:
                types = ", ".join(by_type)
                self.error(node.key_place, f"The resource {name!a} needs a Type: one of {types}.")
                continue
            by_type[kind].append(node)
            overridden = () if kind == POLICY else ("OverrideSettings",)
            self.check_keys(node, ("Type", "Properties", *overridden), f"An {kind} resource")
        return by_type

    def only(self, by_type: Mapping[str, list[Node]], kind: str, resources: Node) -> Node | None:
        found = by_type[kind]
        if len(found) != 1:
            place = found[1].key_place if found else resources.key_place
            self.error(place, f"A template makes one {kind}. This one has {len(found)}.")
        return found[0] if found else None

    def properties(
        self, node: Node | None, what: str, known: tuple[str, ...]
    ) -> Mapping[str, Node]:
        if node is None:
            return {}
        properties = node.members.get("Properties")
        if properties is None or not isinstance(properties.data, dict):
            self.error(node.key_place, f"{what} needs Properties: {', '.join(known)}.")
            return {}
        self.check_keys(properties, known, what)
        return properties.members

    def thing_name(self, thing: Node | None, node: Node | None) -> Expression:
        if thing is not None and (node is None or node.data == ""):
            self.error(
                thing.key_place,
                f'The thing has no ThingName. {{"Ref": "{PREFIX}CommonName"}} names it after '
                "the certificate.",
            )
            return ""
        return self.name(node, "a thing name")

    def name(self, node: Node | None, what: str) -> Expression:
        """Read a name of AWS IoT's registry. The value of a ``Ref`` is checked once it is known."""
        if node is None:
            return ""
        text = self.expression(node)
        if isinstance(text, str) and not THING_NAME.fullmatch(with_examples(text)):
            self.error(
                node.place,
                f"{text[:64]!a} cannot be {what}. Use 1 to 128 characters of a-z, A-Z, 0-9, "
                "':', '_' and '-'.",
            )
        return text

    def attributes(self, node: Node | None, has_type: bool) -> dict[str, Expression]:
        if node is None:
            return {}
        if not isinstance(node.data, dict):
            self.error(node.place, "AttributePayload is an object of names and values.")
            return {}
        limit = MAX_ATTRIBUTES if has_type else MAX_ATTRIBUTES_WITHOUT_TYPE
        if len(node.members) > limit:
            thing = "A thing" if has_type else "A thing without a ThingTypeName"
            self.error(
                node.key_place,
                f"There are {len(node.members)} attributes. {thing} has {limit} at most.",
            )
        attributes = {}
        for name, value in node.members.items():
            if not ATTRIBUTE_NAME.fullmatch(name):
                self.error(
                    value.key_place,
                    f"{name[:64]!a} cannot be an attribute's name. Use 1 to 128 characters of "
                    "a-z, A-Z, 0-9 and _.,@/:#-.",
                )
            text = attributes[name] = self.expression(value)
            if isinstance(text, str) and not ATTRIBUTE_VALUE.fullmatch(with_examples(text)):
                self.error(
                    value.place,
                    f"{text[:64]!a} cannot be an attribute's value. Use up to 800 characters of "
                    "a-z, A-Z, 0-9 and _.,@/:#=[]-.",
                )
        return attributes

    def certificate(self, node: Node | None) -> tuple[str, str]:
        """Read the certificate's status and its principal type ("" for AWS's default)."""
        if node is None:
            return "ACTIVE", ""
        properties = self.properties(
            node, "A certificate", ("CertificateId", "Status", "ThingPrincipalType")
        )
        # JITP passes in the ID of the certificate that the device connected with.
        identifier = properties.get("CertificateId")
        if identifier is None or identifier.data != {"Ref": CERTIFICATE_ID}:
            place = identifier.place if identifier else node.key_place
            self.error(
                place, f'The certificate needs "CertificateId": {{"Ref": "{CERTIFICATE_ID}"}}.'
            )
        else:
            self.ref(identifier.members["Ref"])
        status = self.word(properties.get("Status"), ("ACTIVE", "INACTIVE")) or "ACTIVE"
        if status == "INACTIVE":
            message = "Devices get an INACTIVE certificate, with which they cannot connect."
            self.warn(properties["Status"].place, message)
        principal_type = self.word(
            properties.get("ThingPrincipalType"), ("EXCLUSIVE_THING", "NON_EXCLUSIVE_THING")
        )
        return status, principal_type

    def policy(self, node: Node) -> list[PolicyReference]:
        properties = node.members.get("Properties")
        if properties is not None and "PolicyDocument" in properties.members:
            # A template could grant any right in that way, past the checks of the IoT policy.
            self.error(
                properties.members["PolicyDocument"].key_place,
                "A PolicyDocument inside the template is not allowed. Leave it out. Give "
                'PolicyName "" for the IoT policy of this server, and edit that policy.',
            )
            return []
        name = self.properties(node, "A policy", ("PolicyName",)).get("PolicyName")
        if name is None or not isinstance(name.data, str):
            place = name.place if name else node.key_place
            self.error(
                place,
                'A policy needs a PolicyName that is written out ("" for this server\'s). A '
                "device's subject must not choose its permissions.",
            )
            return []
        return [PolicyReference(name.data, name.place)]

    def overrides(self, thing: Node | None, certificate: Node | None) -> Overrides:
        merging = tuple(Override)
        plain = tuple(word for word in Override if word is not Override.MERGE)
        of_thing = self._settings(
            thing, {"AttributePayload": merging, "ThingTypeName": plain, "ThingGroups": merging}
        )
        of_certificate = self._settings(certificate, {"Status": plain})
        return Overrides(
            of_thing["AttributePayload"],
            of_thing["ThingTypeName"],
            of_thing["ThingGroups"],
            of_certificate["Status"],
        )

    def _settings(
        self, resource: Node | None, allowed: Mapping[str, tuple[Override, ...]]
    ) -> dict[str, Override]:
        settings = dict.fromkeys(allowed, Override.DO_NOTHING)
        node = resource.members.get("OverrideSettings") if resource else None
        if node is None:
            return settings
        self.check_keys(node, tuple(allowed), "OverrideSettings")
        for name, words in allowed.items():
            word = self.word(node.members.get(name), words)
            if word:
                settings[name] = Override(word)
        return settings

    def items_of(self, node: Node | None) -> tuple[Node, ...]:
        if node is None:
            return ()
        if not isinstance(node.data, list):
            self.error(node.place, "This is a list. Put it in square brackets.")
        return node.items

    def word(self, node: Node | None, words: Collection[str]) -> str:
        """Read one of ``words``, in any letter case: AWS's own examples have ``Active``."""
        if node is None:
            return ""
        word = node.data.upper() if isinstance(node.data, str) else ""
        if word not in words:
            self.error(node.place, f"{str(node.data)[:40]!a} is not one of {', '.join(words)}.")
            return ""
        return word
