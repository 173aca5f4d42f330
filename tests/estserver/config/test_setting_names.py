"""What a setting is called reaches `pki` and `iotprov` as data: they know no key of the file."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

import iotprov
import pki
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
        } or {None}
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
        value = getattr(value, part)


def test_the_operators_name_is_used_and_by_default_a_settings_own():
    assert setting_name("aws_region") == "Properties.awsRegion"
    assert iot_setting_name("targets") == "Properties.iotTargets"
    assert setting_name("data_dir") == "data_dir"
