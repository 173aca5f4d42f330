"""The configuration for a package: which files go with it, and what must not.

`estserver.config.packaged` says how it is written and read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from estserver.config import PROJECT_ROOT, Config, ConfigError
from estserver.config.database import has_password
from estserver.config.entries import DEFAULT_SIGNERS, key_name
from estserver.deploy.lambda_signers import for_lambda

_PROPERTY_FILES = ("iot_template_path", "iot_policy_path")
_DEPLOYMENT_FILES = ("m_tls_truststore_certificates_chain_file", "iot_core_ca_certificate_path")
_ELSEWHERE = Path("config", "packaged")
"""Where files from outside of the project go."""


@dataclass(frozen=True)
class PackagedConfig:
    """A configuration that a package may hold."""

    config: Config
    files: Mapping[Path, Path]
    """The files that it names: each one's place in the package, and where it is now."""
    notes: tuple[str, ...]
    """Sentences for the operator."""


def package_config(config: Config) -> PackagedConfig:
    """Return ``config`` as a package may hold it, made to run on Lambda (`for_lambda`).

    It has no databaseUrl with a password. The file of the CA's private key does not go with it. The
    paths of other files point into the package. Raises ConfigError for a file that does not exist.
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
            "Properties.databaseUrl holds a password, so it is not packaged. Give both functions "
            "DATABASE_URL, or name a secret in databaseSecretName."
        )
    if deployment.iot_core_ca_private_key_path:
        notes.append(
            "DeploymentOptions.iotCoreCaPrivateKeyPath is the CA's key, which is never packaged. "
            "Import it from here: manage.py bootstrap_cas."
        )
    notes += [
        f"Properties.signers.{alias}.OPTIONS goes into the package. Name secrets there, do not "
        "write them there."
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
                f"{type(section).__name__}.{key_name(attribute)}: {named} is not a file. Correct "
                "the path."
            )
        is_inside = path.is_relative_to(PROJECT_ROOT)
        place = path.relative_to(PROJECT_ROOT) if is_inside else _ELSEWHERE / attribute / path.name
        files[place] = path
        changed[attribute] = str(place)
    return replace(section, **changed)
