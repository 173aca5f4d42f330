"""The names that follow from the project's (threat T60)."""

from dataclasses import asdict, fields

import pytest

from estserver.config import load_config
from estserver.config.keys import Properties
from estserver.config.project_names import NAMED_BY_PROJECT
from tests.estserver.deploy.packages import ROOT

SAMPLES = ["config-sample-all-generated.yaml", "config-sample-all-external.yaml"]


def properties(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_config(path, environ={}).properties


def names(values):
    return {name: getattr(values, name) for name in NAMED_BY_PROJECT}


def sample_names():
    return {f.name: f.default for f in fields(Properties) if f.name in NAMED_BY_PROJECT}


def test_the_default_project_has_the_cdk_samples_names(tmp_path):
    assert names(properties(tmp_path, "Properties: {}")) == sample_names()


def test_T60_no_name_of_one_project_is_a_name_of_another(tmp_path):
    seen = {}
    # "est" is chosen to meet "est/secret-key", if any name can.
    for project in ("est-server", "staging", "est", "est-server-2"):
        text = f"DeploymentOptions: {{projectName: {project}}}"
        for name in names(properties(tmp_path, text)).values():
            assert seen.setdefault(name, project) == project


def test_every_name_of_the_longest_project_is_one_that_aws_takes(tmp_path):
    longest = "a" * 30
    held = names(properties(tmp_path, f"DeploymentOptions: {{projectName: {longest}}}"))

    again = "\n".join(
        f"  {to_key(name)}: {value}" for name, value in held.items()
    )  # the types of the keys refuse what AWS would

    assert names(properties(tmp_path, f"Properties:\n{again}")) == held
    with pytest.raises(Exception, match="projectName"):
        properties(tmp_path, f"DeploymentOptions: {{projectName: {longest}a}}")


def to_key(name):
    return Properties.__pydantic_config__["alias_generator"](name)


@pytest.mark.parametrize("name", NAMED_BY_PROJECT)
def test_a_name_that_the_file_gives_is_kept_in_every_project(tmp_path, name):
    text = f"Properties: {{{to_key(name)}: kept}}\nDeploymentOptions: {{projectName: staging}}"

    held = names(properties(tmp_path, text))

    assert held.pop(name) == "kept"
    assert all(value.startswith("staging") for value in held.values())


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_cdk_samples_files_keep_their_names(sample):
    held = load_config(ROOT / "config" / sample, environ={}).properties

    assert names(held) == sample_names()
    assert asdict(held)["iot_policy_name"] == "est_iot_policy_default"
