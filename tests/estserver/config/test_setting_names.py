"""What a setting is called reaches `pki` and `iotprov` as data: they know no key of the file."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

import iotprov
import pki
from estserver.config import PROJECT_ROOT
from estserver.config.sections import SECTIONS, keys_of
from estserver.config.setting_names import IOT_SETTING_NAMES, PKI_SETTING_NAMES
from iotprov.conf import setting_name as iot_setting_name
from pki.conf import setting_name

KEYS = {f"{section}.{key}" for section, cls in SECTIONS.items() for key in keys_of(cls)}
# A key of one word, such as "tags", is a word of everyday language too.
TELLING_KEYS = [key for key in sorted({key.partition(".")[2] for key in KEYS}) if not key.islower()]
NAMES_A_KEY = re.compile(
    rf"\b({'|'.join(SECTIONS)})\.[a-zA-Z]|\b({'|'.join(map(re.escape, TELLING_KEYS))})\b"
)
NO_ATTRIBUTE = {"database_url", "external_signer_class"}
"""Settings that `pki` names and doesn't have: Django's database, and an option of one signer."""


def modules(package):
    return sorted(Path(package.__path__[0]).rglob("*.py"))


@pytest.mark.parametrize("package", [pki, iotprov], ids=["pki", "iotprov"])
def test_no_source_line_names_a_key_of_the_configuration_file(package):
    lines = [
        f"{path}:{number}: {line.strip()}"
        for path in modules(package)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if NAMES_A_KEY.search(line)
    ]

    assert lines == []


def names_asked_for(package):
    """The arguments of every call of ``setting_name``, by the package whose settings they are."""
    for path in modules(package):
        tree = ast.parse(path.read_text())
        (source,) = {
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            and "setting_name" in {alias.name for alias in node.names}
        } or {f"{package.__name__}.conf"}  # which defines it
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "setting_name"
            ):
                yield source, ast.literal_eval(node.args[0])


def test_every_name_that_a_message_asks_for_is_a_key_and_no_other_is_handed_over():
    asked = {*names_asked_for(pki), *names_asked_for(iotprov)}

    handed_over = {("pki.conf", name) for name in PKI_SETTING_NAMES}
    handed_over |= {("iotprov.conf", name) for name in IOT_SETTING_NAMES}
    assert asked == handed_over
    assert {*PKI_SETTING_NAMES.values(), *IOT_SETTING_NAMES.values()} <= KEYS


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        *(("PKI", name) for name in sorted(PKI_SETTING_NAMES.keys() - NO_ATTRIBUTE)),
        *(("IOT", name) for name in sorted(IOT_SETTING_NAMES)),
    ],
)
def test_a_named_setting_is_one(owner, name):
    value = getattr(settings, owner)

    for part in name.split("."):
        assert hasattr(value, part)
        value = getattr(value, part)


def test_the_operators_name_is_used_and_by_default_a_settings_own():
    assert setting_name("aws_region") == "Properties.awsRegion"
    assert iot_setting_name("targets") == "Properties.iotTargets"
    assert setting_name("data_dir") == "data_dir"


# One name from the file to its use

OTHER_NAMES = {
    # `pki` and `iotprov` spell words out, and name the unit.
    "certificate_secret_name": "iot_core_est_ca_cert_secret_name",
    "validity_years": "est_mtls_ca_cert_validity",
    "client_validity_years": "est_mtls_client_cert_validity",
    "validity_days": "iot_device_cert_validity_years",
    # The CA has one secret, which the CDK sample's key calls secrets.
    "secret_name": "est_mtls_ca_secrets_name",
    "client_secret_name": "est_mtls_client_secrets_name",
    "truststore_path": "m_tls_truststore_certificates_chain_file",
    # `pki` knows no AWS IoT.
    "generate_certificate": "generate_iot_ca_certificate",
    # The columns of `pki.models.CertificateProfile`, whose first row is made of these.
    "is_serial_number_required": "serial_number_required",
    "can_adopt_names": "adopt_unknown_names",
}
"""Settings whose name isn't the end of their key's, with the reason."""


def values_used(node):
    """The configuration's values that an expression is made of."""
    return {
        each.attr
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id in {"_properties", "_deployment"}
    }


def test_a_setting_has_the_name_of_its_key():
    tree = ast.parse((PROJECT_ROOT / "estserver" / "settings" / "base.py").read_text())
    arguments = {
        (node.arg, value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg
        for value in values_used(node.value)
        if len(values_used(node.value)) == 1
    }
    own = {
        (node.targets[0].id, node.value.attr)
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Attribute)
        and values_used(node.value)
    }

    assert {(name, value) for name, value in arguments if not value.endswith(name)} == {
        *OTHER_NAMES.items()
    }
    assert len(own) == 4
    assert all(name == f"EST_{value.upper()}" for name, value in own)
