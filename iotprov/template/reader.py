"""Reading a provisioning template, with exactly the features that AWS documents for JITP."""

from functools import lru_cache

from iotprov.exceptions import TemplateError
from iotprov.json_text.located import START, Node, NotJSON, Problem, Severity, read_json
from iotprov.template.contents import MAX_BODY, Parameter, Template
from iotprov.template.jitp import ATTRIBUTE_BY_PARAMETER, PREFIX
from iotprov.template.language import parameter_hint
from iotprov.template.resources import CERTIFICATE, POLICY, THING, ResourceReader

_FLEET_PROVISIONING = dict.fromkeys(
    ("Mappings", "DeviceConfiguration"), "is for fleet provisioning. JITP has no such section."
)


@lru_cache(maxsize=8)  # every registration asks for the text of its target
def parse_template(body: str) -> Template:
    """Return the template of a text without structural errors.

    Raises ``TemplateError`` with the first error, its line and its column.
    """
    template, problems = read_template(body)
    for problem in problems:
        if problem.is_error:
            raise TemplateError(f"The provisioning template cannot be used. {problem}")
    return template


def read_template(body: str) -> tuple[Template, list[Problem]]:
    """Return what can be read of the template, and the problems of its structure."""
    if len(body) > MAX_BODY:
        message = f"The template has {len(body):,} characters. AWS IoT takes {MAX_BODY:,}."
        return Template(), [Problem(START, Severity.ERROR, message)]
    try:
        root = read_json(body)
    except NotJSON as error:
        return Template(), [error.problem]
    reader = _Reader()
    template = reader.template(root)
    return template, sorted(reader.problems)


class _Reader(ResourceReader):
    """Reads a whole template, and lists its problems on the way."""

    def template(self, root: Node) -> Template:
        # Step 1: the sections, and the parameters that resources refer to.
        if not isinstance(root.data, dict):
            self.error(root.place, "A template is a JSON object with Parameters and Resources.")
            return Template()
        self.check_keys(root, ("Parameters", "Resources"), "A template", _FLEET_PROVISIONING)
        self._read_parameters(root)
        resources = root.members.get("Resources")
        if resources is None or not isinstance(resources.data, dict):
            self.error(
                root.place, "The template has no Resources: a thing, a certificate, a policy."
            )
            return Template(self.declared)

        # Step 2: the resources, of which JITP makes one thing and one certificate.
        by_type = self.resources_by_type(resources)
        thing = self.only(by_type, THING, resources)
        certificate = self.only(by_type, CERTIFICATE, resources)
        template = self._assemble(thing, certificate, by_type[POLICY])

        # Step 3: what AWS IoT takes without a warning of its own.
        if not template.policies:
            self.warn(resources.key_place, "No policy is attached, so devices may do nothing.")
        for name, parameter in self.declared.items():
            if name not in self.used:
                self.warn(
                    parameter.place,
                    f"{PREFIX}{name} is declared and not used. AWS IoT refuses a device whose "
                    "certificate lacks it all the same. Take it out.",
                )
        return template

    def _assemble(
        self, thing: Node | None, certificate: Node | None, policies: list[Node]
    ) -> Template:
        properties = self.properties(
            thing,
            "A thing",
            ("ThingName", "AttributePayload", "ThingTypeName", "ThingGroups", "BillingGroup"),
        )
        status, principal_type = self.certificate(certificate)
        thing_type = self.name(properties.get("ThingTypeName"), "a thing type")
        groups = properties.get("ThingGroups")
        name = properties.get("ThingName")
        return Template(
            parameters=self.declared,
            thing_name=self.thing_name(thing, name),
            thing_name_place=name.place if name else START,
            attributes=self.attributes(properties.get("AttributePayload"), bool(thing_type)),
            thing_type=thing_type,
            groups=tuple(self.name(node, "a thing group") for node in self.items_of(groups)),
            billing_group=self.name(properties.get("BillingGroup"), "a billing group"),
            policies=tuple(ref for node in policies for ref in self.policy(node)),
            certificate_status=status,
            principal_type=principal_type,
            overrides=self.overrides(thing, certificate),
        )

    # Parameters

    def _read_parameters(self, root: Node) -> None:
        parameters = root.members.get("Parameters")
        if parameters is None or not isinstance(parameters.data, dict):
            self.error(
                root.place, "This is not a provisioning template, because it has no Parameters."
            )
            return
        for full_name, node in parameters.members.items():
            name = full_name.removeprefix(PREFIX)
            is_known = name in ATTRIBUTE_BY_PARAMETER or name == "Id"
            if not is_known or not full_name.startswith(PREFIX):
                self.error(node.key_place, _unknown_parameter(full_name))
                continue
            self.declared[name] = Parameter(name, node.key_place, self._default(node))
        # AWS makes the ID itself. It counts as used, since AWS's examples only declare it.
        self.used.add("Id")

    def _default(self, node: Node) -> str | None:
        self.check_keys(node, ("Type", "Default"), "A parameter")
        if not isinstance(node.data, dict) or node.data.get("Type") != "String":
            self.error(node.place, 'A parameter is {"Type": "String"}.')
            return None
        default = node.members.get("Default")
        if default is None:
            return None
        if not isinstance(default.data, str):
            self.error(default.place, "A default is a string. Put it in quotes.")
            return None
        return default.data


def _unknown_parameter(full_name: str) -> str:
    return (
        f"The template declares {full_name[:80]}, which JITP does not know. "
        f"{parameter_hint(full_name, is_declared=True)}"
    )
