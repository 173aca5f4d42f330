"""Reading a provisioning template: as AWS documents it for JITP, and nothing more."""

from collections.abc import Collection, Mapping
from functools import lru_cache

from iotprov.exceptions import TemplateError
from iotprov.json_text.located import START, Node, NotJSON, Problem, Severity, read_json
from iotprov.json_text.placeholders import with_examples
from iotprov.json_text.problems import suggestion
from iotprov.template.contents import (
    ATTRIBUTE_NAME,
    ATTRIBUTE_VALUE,
    MAX_ATTRIBUTES,
    MAX_ATTRIBUTES_WITHOUT_TYPE,
    MAX_BODY,
    THING_NAME,
    Expression,
    Override,
    Overrides,
    Parameter,
    PolicyReference,
    Template,
)
from iotprov.template.jitp import ATTRIBUTE_BY_PARAMETER, CERTIFICATE_ID, PREFIX
from iotprov.template.language import TemplateLanguage

THING = "AWS::IoT::Thing"
CERTIFICATE = "AWS::IoT::Certificate"
POLICY = "AWS::IoT::Policy"

_FLEET_PROVISIONING = dict.fromkeys(
    ("Mappings", "DeviceConfiguration"), "is for fleet provisioning; JITP has no such section"
)


@lru_cache(maxsize=8)  # for each target, its text; asked for at every registration
def parse_template(body: str) -> Template:
    """The template, when nothing about its structure is wrong.

    Raises ``TemplateError`` with the first problem, its line and its column.
    """
    template, problems = read_template(body)
    for problem in problems:
        if problem.is_error:
            raise TemplateError(f"the provisioning template can't be used: {problem}")
    return template


def read_template(body: str) -> tuple[Template, list[Problem]]:
    """As much of the template as can be read, and what is wrong with its structure."""
    if len(body) > MAX_BODY:
        message = f"it is {len(body):,} characters long; AWS IoT takes {MAX_BODY:,}"
        return Template(), [Problem(START, Severity.ERROR, message)]
    try:
        root = read_json(body)
    except NotJSON as error:
        return Template(), [error.problem]
    reader = _Reader()
    template = reader.template(root)
    return template, sorted(reader.problems)


class _Reader(TemplateLanguage):
    """Reads node by node, and notes what is wrong as it goes on."""

    def template(self, root: Node) -> Template:
        if not isinstance(root.data, dict):
            self.error(root.place, "a template is a JSON object with Parameters and Resources")
            return Template()
        self.check_keys(root, ("Parameters", "Resources"), "a template", _FLEET_PROVISIONING)
        self._read_parameters(root)
        resources = root.members.get("Resources")
        if resources is None or not isinstance(resources.data, dict):
            self.error(
                root.place, "the template has no Resources: a thing, a certificate, a policy"
            )
            return Template(self.declared)
        by_type = self._resources_by_type(resources)
        thing = self._only(by_type, THING, resources)
        certificate = self._only(by_type, CERTIFICATE, resources)
        template = self._assemble(thing, certificate, by_type[POLICY])
        if not template.policies:
            self.warn(resources.key_place, "no policy is attached: devices may do nothing at all")
        for name, parameter in self.declared.items():
            if name not in self.used:
                self.warn(
                    parameter.place,
                    f"{PREFIX}{name} is declared and not used, and a device whose certificate "
                    "lacks it is refused all the same: take it out",
                )
        return template

    def _assemble(
        self, thing: Node | None, certificate: Node | None, policies: list[Node]
    ) -> Template:
        said = self._properties(
            thing,
            "a thing",
            ("ThingName", "AttributePayload", "ThingTypeName", "ThingGroups", "BillingGroup"),
        )
        status, principal_type = self._certificate(certificate)
        thing_type = self._name(said.get("ThingTypeName"), "a thing type")
        groups = said.get("ThingGroups")
        return Template(
            parameters=self.declared,
            thing_name=self._thing_name(thing, said.get("ThingName")),
            attributes=self._attributes(said.get("AttributePayload"), bool(thing_type)),
            thing_type=thing_type,
            groups=tuple(self._name(node, "a thing group") for node in self._list(groups)),
            billing_group=self._name(said.get("BillingGroup"), "a billing group"),
            policies=tuple(ref for node in policies for ref in self._policy(node)),
            certificate_status=status,
            principal_type=principal_type,
            overrides=self._overrides(thing, certificate),
        )

    # Parameters

    def _read_parameters(self, root: Node) -> None:
        parameters = root.members.get("Parameters")
        if parameters is None or not isinstance(parameters.data, dict):
            self.error(root.place, "this isn't a provisioning template: it has no Parameters")
            return
        for full_name, node in parameters.members.items():
            name = full_name.removeprefix(PREFIX)
            is_known = name in ATTRIBUTE_BY_PARAMETER or name == "Id"
            if not is_known or not full_name.startswith(PREFIX):
                self.error(node.key_place, _unknown_parameter(full_name))
                continue
            self.declared[name] = Parameter(name, node.key_place, self._default(node))
        # What AWS makes itself counts as used: templates declare it and needn't mention it twice.
        self.used.add("Id")

    def _default(self, node: Node) -> str | None:
        self.check_keys(node, ("Type", "Default"), "a parameter")
        if not isinstance(node.data, dict) or node.data.get("Type") != "String":
            self.error(node.place, 'a parameter is {"Type": "String"}')
            return None
        default = node.members.get("Default")
        if default is None:
            return None
        if not isinstance(default.data, str):
            self.error(default.place, "a default is a string: put it in quotes")
            return None
        return default.data

    # Resources

    def _resources_by_type(self, resources: Node) -> dict[str, list[Node]]:
        by_type: dict[str, list[Node]] = {THING: [], CERTIFICATE: [], POLICY: []}
        for name, node in resources.members.items():
            kind = node.data.get("Type") if isinstance(node.data, dict) else None
            if not isinstance(kind, str) or kind not in by_type:
                wanted = ", ".join(by_type)
                self.error(node.key_place, f"the resource {name!a} needs a Type: one of {wanted}")
                continue
            by_type[kind].append(node)
            overridden = () if kind == POLICY else ("OverrideSettings",)
            self.check_keys(node, ("Type", "Properties", *overridden), f"an {kind} resource")
        return by_type

    def _only(self, by_type: Mapping[str, list[Node]], kind: str, resources: Node) -> Node | None:
        found = by_type[kind]
        if len(found) != 1:
            place = found[1].key_place if found else resources.key_place
            self.error(place, f"a template makes one {kind}; this one has {len(found)}")
        return found[0] if found else None

    def _properties(
        self, node: Node | None, what: str, known: tuple[str, ...]
    ) -> Mapping[str, Node]:
        if node is None:
            return {}
        properties = node.members.get("Properties")
        if properties is None or not isinstance(properties.data, dict):
            self.error(node.key_place, f"{what} needs Properties: {', '.join(known)}")
            return {}
        self.check_keys(properties, known, what)
        return properties.members

    def _thing_name(self, thing: Node | None, node: Node | None) -> Expression:
        if thing is not None and (node is None or node.data == ""):
            self.error(
                thing.key_place,
                f'the thing has no ThingName: {{"Ref": "{PREFIX}CommonName"}} names it after '
                "the certificate",
            )
            return ""
        return self._name(node, "a thing name")

    def _name(self, node: Node | None, what: str) -> Expression:
        """A name of AWS IoT's registry; what a ``Ref`` gives is looked at when it is known."""
        if node is None:
            return ""
        text = self.expression(node)
        if isinstance(text, str) and not THING_NAME.fullmatch(with_examples(text)):
            self.error(
                node.place,
                f"{text[:64]!a} can't be {what}: use 1 to 128 characters of a-z, A-Z, 0-9, "
                "':', '_' and '-'",
            )
        return text

    def _attributes(self, node: Node | None, has_type: bool) -> dict[str, Expression]:
        if node is None:
            return {}
        if not isinstance(node.data, dict):
            self.error(node.place, "AttributePayload is an object of names and values")
            return {}
        limit = MAX_ATTRIBUTES if has_type else MAX_ATTRIBUTES_WITHOUT_TYPE
        if len(node.members) > limit:
            why = "" if has_type else " without a ThingTypeName"
            self.error(
                node.key_place, f"{len(node.members)} attributes; a thing{why} holds {limit}"
            )
        attributes = {}
        for name, value in node.members.items():
            if not ATTRIBUTE_NAME.fullmatch(name):
                self.error(
                    value.key_place,
                    f"{name[:64]!a} can't be an attribute's name: use 1 to 128 characters of "
                    "a-z, A-Z, 0-9 and _.,@/:#-",
                )
            text = attributes[name] = self.expression(value)
            if isinstance(text, str) and not ATTRIBUTE_VALUE.fullmatch(with_examples(text)):
                self.error(
                    value.place,
                    f"{text[:64]!a} can't be an attribute's value: use up to 800 characters of "
                    "a-z, A-Z, 0-9 and _.,@/:#=[]-",
                )
        return attributes

    def _certificate(self, node: Node | None) -> tuple[str, str]:
        """The status that the certificate gets, and how it is attached ("": as AWS does)."""
        if node is None:
            return "ACTIVE", ""
        said = self._properties(
            node, "a certificate", ("CertificateId", "Status", "ThingPrincipalType")
        )
        identifier = said.get("CertificateId")
        if identifier is None or identifier.data != {"Ref": CERTIFICATE_ID}:
            place = identifier.place if identifier else node.key_place
            self.error(
                place, f'the certificate needs "CertificateId": {{"Ref": "{CERTIFICATE_ID}"}}'
            )
        else:
            self.ref(identifier.members["Ref"])
        status = self._word(said.get("Status"), ("ACTIVE", "INACTIVE")) or "ACTIVE"
        if status == "INACTIVE":
            self.warn(said["Status"].place, "devices get an INACTIVE certificate and can't connect")
        principal_type = self._word(
            said.get("ThingPrincipalType"), ("EXCLUSIVE_THING", "NON_EXCLUSIVE_THING")
        )
        return status, principal_type

    def _policy(self, node: Node) -> list[PolicyReference]:
        properties = node.members.get("Properties")
        if properties is not None and "PolicyDocument" in properties.members:
            # A template could grant anything that way, past every check of the policy's own.
            self.error(
                properties.members["PolicyDocument"].key_place,
                "a PolicyDocument inside the template isn't allowed: leave it out, give "
                'PolicyName "" for the policy that is kept beside the template, and edit that one',
            )
            return []
        said = self._properties(node, "a policy", ("PolicyName",))
        name = said.get("PolicyName")
        if name is None or not isinstance(name.data, str):
            place = name.place if name else node.key_place
            self.error(
                place,
                'a policy needs a PolicyName that is written out ("" for ours): what a device '
                "puts into its subject must not choose its permissions",
            )
            return []
        return [PolicyReference(name.data, name.place)]

    def _overrides(self, thing: Node | None, certificate: Node | None) -> Overrides:
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
        said = dict.fromkeys(allowed, Override.DO_NOTHING)
        node = resource.members.get("OverrideSettings") if resource else None
        if node is None:
            return said
        self.check_keys(node, tuple(allowed), "OverrideSettings")
        for name, words in allowed.items():
            word = self._word(node.members.get(name), words)
            if word:
                said[name] = Override(word)
        return said

    # What they share

    def _list(self, node: Node | None) -> tuple[Node, ...]:
        if node is None:
            return ()
        if not isinstance(node.data, list):
            self.error(node.place, "this is a list: put it in square brackets")
        return node.items

    def _word(self, node: Node | None, words: Collection[str]) -> str:
        """One of ``words``, in whatever letter case: AWS's own examples say ``Active``."""
        if node is None:
            return ""
        word = node.data.upper() if isinstance(node.data, str) else ""
        if word not in words:
            self.error(node.place, f"{str(node.data)[:40]!a} isn't one of {', '.join(words)}")
            return ""
        return word


def _unknown_parameter(full_name: str) -> str:
    known = ", ".join(sorted(ATTRIBUTE_BY_PARAMETER))
    hint = suggestion(full_name, [f"{PREFIX}{name}" for name in (*ATTRIBUTE_BY_PARAMETER, "Id")])
    return (
        f"the template declares {full_name[:80]}, which JITP doesn't know{hint}; after {PREFIX} "
        f"come {known} and Id"
    )
