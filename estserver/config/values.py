"""The validated configuration as frozen values, and what is derived from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pki.choices import IoTProvisioning

if TYPE_CHECKING:
    from estserver.config.keys import DeploymentOptions, Properties

PROJECT_ROOT = Path(__file__).resolve().parents[2]
"""The directory that holds ``manage.py``; every relative path is taken from here."""

MADE_BY = "est-server:made-by"
"""The tag that tells what is ours; its value is the project's name."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole configuration, validated.

    ``source`` is the file it came from, None when there is none; ``data_dir`` is an absolute path
    under which all local state lives; ``warnings`` are sentences for ``manage.py check``;
    ``given`` are the keys of ``Properties`` that the file sets, in order.
    """

    properties: "Properties"
    deployment: "DeploymentOptions"
    source: Path | None
    data_dir: Path
    warnings: tuple[str, ...] = ()
    given: tuple[str, ...] = ()

    def resolve(self, path: str | Path) -> Path:
        """A path of the file as an absolute one; relative paths start at the project root."""
        return PROJECT_ROOT / path

    @property
    def resource_tags(self) -> tuple[tuple[str, str], ...]:
        """Key and value of what every AWS resource of ours carries: yours, and whose it is."""
        yours = tuple((tag.key, tag.value) for tag in self.deployment.tags)
        return (*yours, (MADE_BY, self.deployment.project_name))

    @property
    def iot_provisioning(self) -> str:
        """`jitp`, `register` or `none`, for the first profile."""
        chosen = self.properties.iot_provisioning
        return chosen or (
            IoTProvisioning.JITP if self.deployment.configure_jitp else IoTProvisioning.NONE
        )

    def signer_settings(self) -> dict[str, dict[str, Any]]:
        """The signers by alias, as plain ``{"BACKEND": ..., "OPTIONS": {...}}`` for settings."""
        return {
            alias: {"BACKEND": signer.backend, "OPTIONS": dict(signer.options)}
            for alias, signer in self.properties.signers.items()
        }


def data_directory(environ: Mapping[str, str]) -> Path:
    """Where all local state lives: EST_DATA_DIR, by default ``var`` in the project."""
    return PROJECT_ROOT / (environ.get("EST_DATA_DIR") or "var")
