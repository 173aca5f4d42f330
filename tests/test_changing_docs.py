"""docs/changing.md: its files exist, and its examples work."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.contrib.admin import site
from django.urls import clear_url_caches, path, re_path, reverse

from estserver.config.sections import read_section
from estserver.config.yaml import read_yaml
from estserver.console.registry import console
from estserver.deploy.engine.runs import carry_out
from estserver.models import TruststorePush
from estserver.urls import admin as admin_urls
from estserver.urls import est as urls
from pki.authorities.bootstrap import bootstrap_cas
from pki.conf import DeviceCASettings
from pki.denylist import entries, kinds
from pki.denylist.entries import deny
from pki.denylist.kinds import KINDS
from pki.models import CertificateAuthority
from tests.conftest import TESTER
from tests.estserver.deploy.conftest import *  # noqa: F403  # an account and a deployment
from tests.pki.signers.conftest import use_signer
from tests.support.builders import make_csr, make_key
from tests.support.est_client import ESTClient

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "changing.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", DOCUMENT, re.MULTILINE | re.DOTALL))
PRODUCT_FILES = {
    "A new signer": 1,
    "An EST operation": 7,
    "A denylist kind": 2,
    "A console page of rows": 2,
    "A console page": 3,
    "A deploy resource": 2,
    "A configuration key": 3,
}
"""How many files of the product each recipe may take."""


def example(name):
    """The names that a recipe's code defines."""
    source = re.search(rf"```python {name}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert source, f"there is no example {name}"
    module = ModuleType(f"changing_{name}")
    exec(compile(source[1], f"docs/changing.md:{name}", "exec"), vars(module))
    return module


def files_of(recipe):
    """The files and folders that a recipe names in its line "Files:"."""
    paragraph = re.search(r"^Files: (.*?)\n\n", RECIPES[recipe], re.MULTILINE | re.DOTALL)
    assert paragraph, f"{recipe} names no files"
    return re.findall(r"`([\w./-]+/[\w./-]*)`", paragraph[1])


def test_every_path_that_a_recipe_names_exists():
    named = set(re.findall(r"`((?:\w+/)+[\w.]*)`", DOCUMENT))

    assert len(named) > 25
    generated = {"config/config.yaml"}
    assert sorted(path for path in named - generated if not (ROOT / path).exists()) == []


@pytest.mark.parametrize(("recipe", "most"), PRODUCT_FILES.items())
def test_a_recipe_takes_no_more_files_than_it_should(recipe, most):
    assert 0 < len(files_of(recipe)) <= most


def test_every_recipe_has_its_files():
    assert {*PRODUCT_FILES, "A migration"} == RECIPES.keys()


def test_the_signer_signs(db, data_dir, settings, monkeypatch):
    module = example("signer")
    monkeypatch.setitem(sys.modules, "company_signers", module)
    path = data_dir / "ca-key.pem"
    unencrypted = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(make_key("ec-p256", 77).private_bytes(*unencrypted))
    backend = "company_signers.PlainFileSigner"
    use_signer(settings, "plainfile", backend, {"keyFile": str(path)})
    settings.PKI = replace(settings.PKI, device_ca=DeviceCASettings(signer="plainfile"))
    bootstrap_cas(actor=TESTER)

    client = ESTClient.from_files(data_dir / "test-client.pem")
    certificate = client.simpleenroll(make_csr("sensor-1")).certificate

    assert certificate.issuer == CertificateAuthority.objects.device().get().certificate.subject


def test_the_operation_answers(est_client, monkeypatch):
    view = example("operation").CRLNumberView.as_view()
    route = re_path(r"^\.well-known/est/crlnumber\Z", view, name="crlnumber")
    monkeypatch.setattr(urls, "urlpatterns", [route, *urls.urlpatterns])
    clear_url_caches()
    try:
        answer = est_client.request("GET", est_client.url("crlnumber"))
    finally:
        clear_url_caches()

    assert (answer.status_code, answer.body) == (200, b"0")


def test_the_denylist_kind_denies(est_client, monkeypatch):
    rows = (*KINDS, example("denylist").PREFIX)
    condition = kinds.matching_condition(rows)
    statement = entries.MATCHING_ENTRY_SQL.replace(kinds.MATCHING_CONDITION, condition)
    monkeypatch.setattr(entries, "MATCHING_ENTRY_SQL", statement)
    monkeypatch.setattr(kinds, "MATCHING_CONDITION", condition)
    monkeypatch.setattr(kinds, "KINDS", rows)
    monkeypatch.setattr(kinds, "COMPARED", kinds.compared_identifiers(rows))
    deny("prefix", "sen", reason="a stolen batch", actor=TESTER)

    assert est_client.simpleenroll(make_csr("sensor-1")).status_code == 403
    assert est_client.simpleenroll(make_csr("lamp-1")).status_code == 200


def test_the_page_shows_its_rows(admin_client, monkeypatch):
    page = example("page").TruststorePushAdmin
    monkeypatch.setitem(site._registry, TruststorePush, page(TruststorePush, site))

    shown = site._registry[TruststorePush]

    assert shown.get_list_display(None) == page.list_display
    assert not shown.has_add_permission(None)


def test_the_console_page_is_reached_and_shows_its_rows(admin_client, est_client, monkeypatch):
    monkeypatch.setattr(console, "links", [*console.links])
    monkeypatch.setattr(console, "pages", {**console.pages})
    example("console")
    est_client.simpleenroll(make_csr("sensor-1"))
    monkeypatch.setattr(admin_urls, "urlpatterns", [path("admin/", site.urls)])
    clear_url_caches()
    try:
        shown = admin_client.get(reverse("admin:console_newest"))
    finally:
        monkeypatch.undo()
        clear_url_caches()

    assert "sensor-1" in shown.text
    assert '<a href="/admin/newest/" aria-current="page">Newest certificates</a>' in shown.text


def test_the_deploy_resource_is_made_once_and_taken_away(deployment, performer):
    module = example("deploy")
    step = module.NoticeTopic(deployment)

    carry_out([step], performer)

    assert step.look().endswith(":est-server-notices")
    assert step.plan(step.look()).calls == ()
    assert [call.name for call in step.undo(step.look()).calls] == ["sns:DeleteTopic"]
    assert {action for one in module.rights(deployment).deploy for action in one["Action"]} == {
        "sns:CreateTopic",
        "sns:ListTopics",
    }


@pytest.mark.parametrize(("value", "is_taken"), [("3", True), ("0", False), ('"many"', False)])
def test_the_key_is_read_and_refused(tmp_path, value, is_taken):
    path = tmp_path / "config.yaml"
    path.write_text(f"Section:\n  archiveYears: {value}\n")

    section = read_section("Section", example("key").Section, read_yaml(path))

    assert (not section.problems) is is_taken
    if is_taken:
        assert section.values.archive_years == 3
