"""The configuration on its way into a package: which files go with it, what stays at home.

`estserver.config.packaged` says how it is written and read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from estserver.config import PROJECT_ROOT, Config, ConfigError
from estserver.config.database import has_password
from estserver.config.keys import DEFAULT_SIGNERS, key_name
from estserver.deploy.lambda_signers import for_lambda

_PROPERTY_FILES = ("iot_template_path", "iot_policy_path")
_DEPLOYMENT_FILES = ("m_tls_truststore_certificates_chain_file", "iot_core_ca_certificate_path")
_ELSEWHERE = Path("config", "packaged")
"""Where files from outside of the project go."""


@dataclass(frozen=True)
class PackagedConfig:
    """A configuration that is fit to travel."""

    config: Config
    files: Mapping[Path, Path]
    """Files that it names: where each is put, relative to the package, and where it is."""
    notes: tuple[str, ...]
    """What the operator should know, in sentences."""


def package_config(config: Config) -> PackagedConfig:
    """Make ``config`` fit to travel, and to run on Lambda (`for_lambda`).

    A databaseUrl with a password and the file of the CA's private key stay at home. Paths of other
    files are made to point into the package. Raises ConfigError for a file that doesn't exist.
    """
    files: dict[Path, Path] = {}
    own_signers = config.properties.signers
    config = for_lambda(config)
    properties = _with_files_packaged(config, config.properties, _PROPERTY_FILES, files)
    deployment = _with_files_packaged(config, config.deployment, _DEPLOYMENT_FILES, files)
    notes = [*config.warnings]
    if has_password(properties.database_url):
        properties = replace(properties, database_url="")
        notes.append(
            "Properties.databaseUrl holds a password, so it isn't packaged; give both functions "
            "DATABASE_URL, or name a secret in databaseSecretName"
        )
    if deployment.iot_core_ca_private_key_path:
        notes.append(
            "DeploymentOptions.iotCoreCaPrivateKeyPath is the CA's key, which is never packaged; "
            "import it from here: manage.py bootstrap_cas"
        )
    notes += [
        f"Properties.signers.{alias}.OPTIONS travels in the package; name secrets there, don't "
        "write them"
        for alias, signer in own_signers.items()
        if signer.options and signer not in DEFAULT_SIGNERS.values()
    ]
    travelling = replace(
        config,
        properties=properties,
        deployment=deployment,
        source=Path(config.source.name) if config.source else None,
    )
    return PackagedConfig(travelling, files, tuple(notes))


def _with_files_packaged(
    config: Config, section: Any, attributes: tuple[str, ...], files: dict[Path, Path]
) -> Any:
    changed: dict[str, str] = {}
    for attribute in attributes:
        named = getattr(section, attribute)
        if not named:
            continue
        path = config.resolve(named).resolve()
        if not path.is_file():
            raise ConfigError(
                f"{type(section).__name__}.{key_name(attribute)}: {named} isn't a file; correct "
                "the path"
            )
        is_inside = path.is_relative_to(PROJECT_ROOT)
        place = path.relative_to(PROJECT_ROOT) if is_inside else _ELSEWHERE / attribute / path.name
        files[place] = path
        changed[attribute] = str(place)
    return replace(section, **changed)
