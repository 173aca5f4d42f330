"""The files that a newcomer, an editor or the hosting site reads first say what is true here."""

import re
import tomllib
from configparser import ConfigParser
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = dict(re.findall(r"(?m)^([a-z-]+):(.*?)(?:##.*)?$", MAKEFILE))

PAGES = [ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md"]
HOOKS = ROOT / ".pre-commit-config.yaml"
FORMS = [ROOT / ".github/ISSUE_TEMPLATE/bug.yml", ROOT / ".github/ISSUE_TEMPLATE/feature.yml"]
DEPENDABOT = ROOT / ".github/dependabot.yml"

NAMED_TARGET = re.compile(r"(?m)(?:`|^ {4}|[:-] )make ([a-z-]+)")
LINK = re.compile(r"\]\((?!https:)([^)#\s]*)(?:#([^)\s]+))?\)")


def load(path):
    """A YAML file's content. Every scalar is a string, so that the key ``on`` isn't True."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def name_of(path):
    """A path as a person writes it."""
    return path.relative_to(ROOT).as_posix()


@pytest.fixture
def job():
    """The one job of the CI workflow."""
    (job,) = load(ROOT / ".github/workflows/ci.yml")["jobs"].values()
    return job


@pytest.mark.parametrize("path", [HOOKS, *sorted(ROOT.glob(".github/**/*.yml"))], ids=name_of)
def test_yaml_file_is_a_mapping_without_empty_values(path):
    content = load(path)

    assert isinstance(content, dict)
    assert all(content.values())


# CI


def test_ci_runs_nothing_but_the_script_that_a_person_can_run(job):
    runs = [step["run"] for step in job["steps"] if "run" in step]

    assert runs == [".ci/run"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_ci_uses_one_action_at_a_commit_that_no_tag_can_move(job):
    (used,) = [step["uses"] for step in job["steps"] if "uses" in step]

    assert re.fullmatch(r"actions/checkout@[0-9a-f]{40}", used)


def test_ci_may_read_and_ends_by_itself(job):
    workflow = load(ROOT / ".github/workflows/ci.yml")

    assert workflow["on"].keys() == {"push", "pull_request"}
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["cancel-in-progress"] == "true"
    assert "permissions" not in job
    assert int(job["timeout-minutes"]) <= 60


# Checks before a commit


def test_hooks_are_local_and_run_the_installed_tools():
    repositories = load(HOOKS)["repos"]
    hooks = [hook for repository in repositories for hook in repository["hooks"]]

    assert {repository["repo"] for repository in repositories} == {"local"}
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [hook["entry"] for hook in hooks] == ["make check-fast"]


def test_fast_checks_are_listed_once_and_the_full_check_runs_them():
    assert "check-fast" in TARGETS["check"].split()
    for command in ("ruff check .", "ruff format --check .", "lint-imports"):
        assert MAKEFILE.count(f"\t$(BIN)/{command}\n") == 1


# What pages and templates name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings_that_exist(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))

    assert links
    for link, heading in links:
        path = page.parent / link if link else page
        assert path.exists(), link
        if heading:
            headings = re.findall(r"(?m)^#+ (.+)$", path.read_text(encoding="utf-8"))
            anchors = {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}
            assert heading in anchors


@pytest.mark.parametrize(
    "path",
    [*PAGES, HOOKS, FORMS[0], DEPENDABOT, ROOT / ".github/pull_request_template.md"],
    ids=name_of,
)
def test_make_targets_that_a_file_names_exist(path):
    named = set(NAMED_TARGET.findall(path.read_text(encoding="utf-8")))

    assert named
    assert sorted(named - TARGETS.keys()) == []


@pytest.mark.parametrize("path", FORMS, ids=name_of)
def test_an_issue_form_is_one_that_the_hosting_site_shows(path):
    form = load(path)
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    ids = [field["id"] for field in asked]

    assert form["name"]
    assert form["description"]
    assert {field["type"] for field in asked} <= {"checkboxes", "dropdown", "input", "textarea"}
    assert all(field["attributes"]["label"] for field in asked)
    assert all(re.fullmatch(r"[\w-]+", id_) for id_ in ids)
    assert len({*ids}) == len(ids)


def test_every_issue_begins_with_a_form_or_is_sent_to_the_private_way():
    chooser = load(ROOT / ".github/ISSUE_TEMPLATE/config.yml")
    (link,) = chooser["contact_links"]

    assert chooser["blank_issues_enabled"] == "false"
    assert link["url"].startswith("https://")
    assert "SECURITY.md" in link["about"]


def test_dependabot_looks_weekly_and_in_groups_where_dependencies_are():
    wanted = {
        "pip": {"/": "requirements.txt", "/requirements": "dev.txt"},
        "github-actions": {"/": ".github/workflows/ci.yml"},
        "docker": {"/": "Dockerfile"},
    }
    updates = {update["package-ecosystem"]: update for update in load(DEPENDABOT)["updates"]}

    assert updates.keys() == wanted.keys()
    for ecosystem, update in updates.items():
        assert update["schedule"]["interval"] == "weekly"
        assert update["groups"]
        assert {*(update.get("directories") or [update["directory"]])} == wanted[ecosystem].keys()
        for directory, file in wanted[ecosystem].items():
            assert (ROOT / directory.strip("/") / file).is_file()


# Editors


def style_of(path):
    """What .editorconfig says of a file: the last section that fits it wins."""
    parser = ConfigParser()
    parser.read_string("[preamble]\n" + (ROOT / ".editorconfig").read_text(encoding="utf-8"))
    style = {}
    for section in parser.sections()[1:]:
        subject = name_of(path) if "/" in section else path.name
        braces = re.search(r"\{(.+)\}", section)
        choices = braces[1].split(",") if braces else [""]
        patterns = [section.replace(braces[0], c) if braces else section for c in choices]
        if any(fnmatchcase(subject, pattern) for pattern in patterns):
            style |= parser[section]
    return style


def test_editors_have_the_line_length_and_indent_that_ruff_checks():
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]
    style = style_of(ROOT / "manage.py")

    assert style["max_line_length"] == str(ruff["line-length"])
    assert style["indent_size"] == str(ruff.get("indent-width", 4))


@pytest.mark.parametrize(
    "path",
    [
        ROOT / "Makefile",
        HOOKS,
        *ROOT.glob("*.json"),
        *ROOT.glob(".github/**/*.yml"),
        *ROOT.glob("config/*sample*.yaml"),
        *ROOT.glob("config/iot_*.json"),
        *ROOT.glob("estserver/static/**/*.css"),
        *ROOT.glob("requirements/*.sh"),
        *ROOT.glob("templates/**/*.html"),
        *ROOT.glob("tests/*.sh"),
        *ROOT.glob("estserver/static/estserver/*.java"),
    ],
    ids=name_of,
)
def test_editors_would_leave_a_file_as_it_is(path):
    style = style_of(path)
    text = path.read_text(encoding="utf-8")
    indents = re.findall(r"(?m)^([ \t]+)[^\s*]", text)  # " *" goes on with a comment of Java
    first = "\t" if style["indent_style"] == "tab" else " " * int(style["indent_size"])

    assert not indents or indents[0] == first
    assert text.endswith("\n") or style["insert_final_newline"] != "true"
    assert not re.search(r"(?m)[ \t]$", text)
