"""Documents to start from: those that the configuration comes with."""

import json
from pathlib import Path

CONFIG = Path(__file__).parents[2] / "config"
CASES = Path(__file__).parents[1] / "cases"

DEFAULT_TEMPLATE = (CONFIG / "iot_template_default.json").read_text(encoding="utf-8")
SAMPLE_TEMPLATE = CONFIG / "iot_template_with_serial_number.json"
TEMPLATE = SAMPLE_TEMPLATE.read_text(encoding="utf-8")
"""The CDK sample's, which takes more from a subject than its CN."""
POLICY = (CONFIG / "iot_policy_default.json").read_text(encoding="utf-8")


def template(**changes):
    """The sample's template without Country, which not every certificate has.

    A change is named after what it replaces: ``thing``, ``certificate`` or ``policy`` (their
    properties), ``override_thing``, ``override_certificate``, ``parameters`` (names without
    prefix), ``resources``.
    """
    data = json.loads(TEMPLATE)
    names = changes.get("parameters", ("CommonName", "SerialNumber", "Id"))
    data["Parameters"] = {f"AWS::IoT::Certificate::{name}": {"Type": "String"} for name in names}
    for name, resource in data["Resources"].items():
        resource["Properties"] |= changes.get(name, {})
        if f"override_{name}" in changes:
            resource["OverrideSettings"] = changes[f"override_{name}"]
    data["Resources"] |= changes.get("resources", {})
    return json.dumps(data, indent=2)


def policy(*statements):
    """A policy of these statements, each an ``Allow`` unless it says something else."""
    said = [{"Effect": "Allow", **statement} for statement in statements]
    return json.dumps({"Version": "2012-10-17", "Statement": said}, indent=2)


def ref(parameter):
    """``Ref`` of a parameter, by its short name."""
    return {"Ref": f"AWS::IoT::Certificate::{parameter}"}
