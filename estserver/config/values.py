"""The validated configuration as frozen values, and what is derived from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pki.aws.ownership import MADE_BY
from pki.choices import IoTProvisioning

if TYPE_CHECKING:
    from estserver.config.deployment_keys import DeploymentOptions
    from estserver.config.keys import Properties

PROJECT_ROOT = Path(__file__).resolve().parents[2]
"""The directory that holds ``manage.py``. Every relative path starts here."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration, validated.

    ``source`` is its file, None when there is none. ``data_dir`` is the absolute path of the
    directory of all local state. ``warnings`` are sentences for the operator. ``given`` are the
    keys of ``Properties`` that the file sets, in order.
    """

    properties: "Properties"
    deployment: "DeploymentOptions"
    source: Path | None
    data_dir: Path
    warnings: tuple[str, ...] = ()
    given: tuple[str, ...] = ()

    def resolve(self, path: str | Path) -> Path:
        """Return a path of the file as an absolute one. Relative ones start at `PROJECT_ROOT`."""
        return PROJECT_ROOT / path

    @property
    def resource_tags(self) -> tuple[tuple[str, str], ...]:
        """Keys and values for every AWS resource that this server makes: yours, and `MADE_BY`."""
        chosen = tuple((tag.key, tag.value) for tag in self.deployment.tags)
        return (*chosen, (MADE_BY, self.deployment.project_name))

    @property
    def iot_provisioning(self) -> str:
        """The first profile's mode: `jitp`, `register` or `none`."""
        chosen = self.properties.iot_provisioning
        return chosen or (
            IoTProvisioning.JITP if self.deployment.configure_jitp else IoTProvisioning.NONE
        )

    def signer_settings(self) -> dict[str, dict[str, Any]]:
        """Return the signers by alias: ``{"BACKEND": ..., "OPTIONS": {...}}``, for the settings."""
        return {
            alias: {"BACKEND": signer.backend, "OPTIONS": dict(signer.options)}
            for alias, signer in self.properties.signers.items()
        }


def data_directory(environ: Mapping[str, str]) -> Path:
    """Return the directory of all local state: EST_DATA_DIR, by default the project's ``var``."""
    return PROJECT_ROOT / (environ.get("EST_DATA_DIR") or "var")
