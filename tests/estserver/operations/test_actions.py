"""Page, command and API call of each action: none is missing, and they call the same function."""

import ast
import inspect
from functools import cache
from importlib import import_module, util
from types import SimpleNamespace

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.urls import get_resolver
from django.utils.module_loading import import_string

from estserver.config.values import PROJECT_ROOT
from estserver.console.registry import console
from estserver.operations.actions import ACTIONS
from estserver.operations.command_list import command_shapes
from pki.admin.operations import Operation

SHAPES = {shape.name: shape for shape in command_shapes()}

OF_DJANGO = {
    *("login", "logout", "password_change", "password_change_done", "jsi18n", "autocomplete"),
    *("view_on_site", "app_list", None),
}
"""Pages of a person's own session, and Django's helpers."""

OF_ONESELF = {
    *("console_second_factor_code", "console_second_factor_set_up"),
    "console_second_factor_codes_file",
}
"""Pages on which a person gives or sets up what only that person has."""

NO_DOOR = ("_history", "_delete", "_add")
"""Ends of the names of pages that Django offers for each model and `FactAdmin` refuses."""


@cache
def pages():
    """The view behind each named URL of the console."""
    found = {}

    def walk(patterns):
        for each in patterns:
            if hasattr(each, "url_patterns"):
                walk(each.url_patterns)
            elif each.name not in OF_DJANGO:
                found.setdefault(each.name, each.callback)  # Django asks the first one

    for resolver in get_resolver().url_patterns:
        if getattr(resolver, "app_name", "") == "admin":
            walk(resolver.url_patterns)
    return found


def view_of(page):
    """What answers a page: the class of an operation, a function, or a model's admin."""
    if page in console.pages:
        return console.pages[page].view
    callback = pages()[page]
    return getattr(callback, "view_class", None) or callback


def is_refused_of_every_model(page):
    """Whether a page is one that Django has for each model, and this model refuses."""
    if not page.endswith(NO_DOOR):
        return False
    app = page.startswith(("pki_", "iotprov_", "estserver_"))
    return page.endswith("_history") or (app and not is_operation(page))


def is_operation(page):
    view = view_of(page)
    return inspect.isclass(view) and issubclass(view, Operation)


def test_every_page_is_of_an_action():
    named = {page for action in ACTIONS for page in action.pages}
    walked = {page for page in pages() if not is_refused_of_every_model(page)} - OF_ONESELF

    assert walked - named == set()
    assert named - {*pages()} == set()
    assert {"pki_denylistentry_add", "console_doctor", "auth_user_change"} <= walked


def test_every_operation_and_list_action_of_the_console_is_of_an_action():
    named = {page for action in ACTIONS for page in action.pages}
    for model, pages_of in admin.site._registry.items():
        prefix = f"{model._meta.app_label}_{model._meta.model_name}"
        for operation in getattr(pages_of, "operations", ()):
            assert f"{prefix}_{operation.slug}" in named
    assert {*console.pages} - OF_ONESELF - named == set()


def test_every_command_is_of_an_action():
    named = {name for action in ACTIONS for name in action.commands}
    typed = {name for name, shape in SHAPES.items() if not shape.subcommands}

    assert typed - named == set()
    assert named - typed == set()


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_an_action_has_its_three_doors_or_says_why_not(action):
    assert action.commands
    assert bool(action.pages) is not bool(action.without_page)
    assert bool(action.api) is not bool(action.without_api)


def test_every_permission_of_an_action_exists(db):
    known = {
        f"{row.content_type.app_label}.{row.codename}"
        for row in Permission.objects.select_related("content_type")
    }

    assert {action.permission for action in ACTIONS} - known == {""}


class Recorder:
    """A person who keeps what is asked of them, and has no permission."""

    def __init__(self):
        self.asked = []

    def has_perm(self, permission):
        self.asked.append(permission)
        return False


def asked_by(page):
    """The permissions that a page of the console or an operation asks for; None for Django's."""
    if page in console.pages:
        return console.pages[page].permissions
    for model, pages_of in admin.site._registry.items():
        prefix = f"{model._meta.app_label}_{model._meta.model_name}"
        for one in getattr(pages_of, "operations", ()):
            if page == f"{prefix}_{one.slug}":
                person = Recorder()
                one.is_allowed(SimpleNamespace(user=person), model)
                return tuple(person.asked)
    return None


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_the_permission_of_an_action_is_that_of_a_page_of_it(action):
    found = [asked_by(page) for page in action.pages]

    # The matrix of roles has the permissions of Django's own pages. A document is checked on the
    # page that adds it, and by programs that may only look at documents.
    if found and None not in found and not action.name.startswith("Check the "):
        assert any(action.permission in (asked or ("",)) for asked in found), found


# The same function behind each door


@cache
def named_in(module):
    """The functions of this project that a module imports or makes, wherever it does."""
    found, imported = set(), {}
    tree = ast.parse(inspect.getsource(import_module(module)))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for each in node.names:
                imported[each.asname or each.name] = f"{node.module}.{each.name}"
    found.update(imported.values())
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in imported:
                found.add(f"{imported[node.value.id]}.{node.attr}")
        elif isinstance(node, ast.FunctionDef):
            found.add(f"{module}.{node.name}")
    return frozenset(found)


def modules_of(kind):
    """The modules of a class and of its bases in this project."""
    return {
        base.__module__
        for base in inspect.getmro(kind)
        if base.__module__.split(".")[0] in ("pki", "iotprov", "estserver")
    }


def reaches(modules, service):
    """Whether one of the modules has the service, or a job has it that they start."""
    modules = {*modules, *jobs_started_by(modules)}
    paths = {path for module in modules for path in named_in(module)}
    wanted = import_string(service)
    return any(_object(path) is wanted for path in paths)


def jobs_started_by(modules):
    """The modules of the kinds of jobs whose function ``start_...`` the modules import."""
    for path in {path for module in modules for path in named_in(module)}:
        module, _, name = path.rpartition(".")
        if name.startswith("start_") and "pki.jobs.kinds.JobKind" in named_in(module):
            yield module


@cache
def _object(path):
    try:
        return import_string(path)
    except ImportError:
        return None


CASES = [(action, service) for action in ACTIONS for service in action.services]


@pytest.mark.parametrize(
    ("action", "service"), CASES, ids=[f"{action.name}: {one}" for action, one in CASES]
)
def test_page_and_command_call_the_service_of_the_action(action, service):
    commands = [SHAPES[name].command for name in action.commands]
    assert all(reaches(modules_of(type(command)), service) for command in commands)

    doors = [page_modules(page) for page in action.pages]
    if doors:
        assert any(reaches(modules, service) for modules in doors)


def page_modules(page):
    view = view_of(page)
    if inspect.isclass(view):
        return modules_of(view)
    if hasattr(view, "__self__") or "admin" in view.__module__:
        return {view.__module__, "estserver.console.people.accounts"}
    return {view.__module__}


def test_an_action_that_names_another_function_is_found():
    deny = SHAPES["deny"].command

    assert reaches(modules_of(type(deny)), "pki.denylist.entries.deny")
    assert not reaches(modules_of(type(deny)), "pki.denylist.entries.allow")


# The API


DESCRIPTION = PROJECT_ROOT / "docs" / "openapi.yaml"


def routes():
    """Method and path of each operation of the API, as its OpenAPI description has them."""
    import yaml

    described = yaml.safe_load(DESCRIPTION.read_text())
    return {
        f"{method.upper()} {path.removeprefix('/api/v1/')}"
        for path, operations in described["paths"].items()
        for method in operations
        if method in ("get", "post", "put", "patch", "delete")
    }


OF_A_TOKEN = {"GET token"}
"""What a program asks about itself."""


def test_every_call_of_the_api_is_of_an_action_and_exists():
    if not DESCRIPTION.is_file():
        assert util.find_spec("estserver.api") is None  # a version without the API
        return
    named = {call for action in ACTIONS for call in action.api}

    assert routes() - OF_A_TOKEN - named == set()
    assert named - routes() == set()
