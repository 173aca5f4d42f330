"""The modules of the web admin import each other in one direction only."""

import ast
import graphlib

import pytest

from estserver.config import PROJECT_ROOT


def imports_within(package):
    """What each module of a package and of its rooms imports from it, lazily and for types too."""
    directory = PROJECT_ROOT / package.replace(".", "/")
    files = {
        ".".join(path.relative_to(directory).with_suffix("").parts): path
        for path in directory.rglob("*.py")
        if path.name != "__init__.py"
    }
    graph = {}
    for name, path in files.items():
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                assert node.module != package, f"{package}.{name} imports its package"
                found.add(node.module)
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
        graph[name] = {other for other in files if f"{package}.{other}" in found}
    return graph


@pytest.mark.parametrize("package", ["pki.admin", "iotprov.admin", "estserver.console"])
def test_no_two_modules_of_the_web_admin_import_each_other(package):
    graph = imports_within(package)

    order = list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError

    assert len(order) == len(graph) > 1


@pytest.mark.parametrize(
    ("package", "page", "operations"),
    [
        ("pki.admin", "certificates", "certificate_operations"),
        ("pki.admin", "authorities", "authority_operations"),
        ("pki.admin", "profiles", "profile_operations"),
        ("pki.admin", "denylist", "denylist_operations"),
        ("iotprov.admin", "provisioning", "provisioning_operations"),
        ("iotprov.admin", "registrations", "registration_operations"),
        ("iotprov.admin", "documents", "document_operations"),
        ("estserver.console", "delivery.pending_hooks", "delivery.pending_hook_operations"),
        ("estserver.console", "delivery.webhooks", "delivery.webhook_operations"),
        ("estserver.console", "authorities.truststore", "authorities.truststore_operations"),
    ],
)
def test_a_page_imports_its_operations_and_not_the_other_way_round(package, page, operations):
    graph = imports_within(package)

    assert operations in graph[page]
    assert page not in graph[operations]
