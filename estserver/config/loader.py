"""Read and validate the configuration, for `estserver.config.load_config`.

Every problem is collected before anything is refused, so that an operator mends a file once and not
once for each error.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from estserver.config.consistency import Consistency, database_problems
from estserver.config.deployment_keys import DeploymentOptions
from estserver.config.errors import ConfigError
from estserver.config.keys import Properties
from estserver.config.sections import check_top_level, read_section
from estserver.config.values import PROJECT_ROOT, Config, data_directory
from estserver.config.yaml import YamlDocument, read_yaml

NO_FILE = (
    "There is no configuration file, so every setting has its default. To change one, copy "
    "config/config-sample-all-generated.yaml to config/config.yaml."
)


def read_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Do what `load_config` promises."""
    # Step 1: read each section by itself.
    source = _source(path, environ)
    data_dir = data_directory(environ)
    document = read_yaml(source) if source else YamlDocument(None, {}, ())
    properties = read_section("Properties", Properties, document)
    deployment = read_section("DeploymentOptions", DeploymentOptions, document)
    consistency = Consistency(properties, deployment, document)

    # Step 2: collect every problem, in the order of the file's lines.
    file_name = source.name if source else ""
    problems = [
        problem.render(file_name)
        for problem in sorted(
            [
                *document.problems,
                *check_top_level(document),
                *properties.problems,
                *deployment.problems,
                *consistency.problems(data_dir),
            ]
        )
    ]

    # Step 3: fill in what follows from other values. The environment's database wins.
    values = consistency.completed_properties()
    if environ.get("DATABASE_URL"):
        values = replace(values, database_url=environ["DATABASE_URL"], database_secret_name="")
        problems += [f"DATABASE_URL: {text}" for text in database_problems(values, data_dir)]
    if problems:
        raise ConfigError(*problems)

    warnings = sorted([*properties.warnings, *deployment.warnings])
    return Config(
        properties=values,
        deployment=deployment.values,
        source=source,
        data_dir=data_dir,
        warnings=tuple(warning.render(file_name) for warning in warnings) if source else (NO_FILE,),
        given=tuple(sorted(properties.given)),
    )


def _source(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read; None when none is named and the usual one does not exist."""
    if path is not None:
        return path
    if named := environ.get("EST_CONFIG"):
        return PROJECT_ROOT / named
    usual = PROJECT_ROOT / "config" / "config.yaml"
    return usual if usual.exists() else None
