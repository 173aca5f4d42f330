"""What the keys of the configuration file have in common: their names, and the mappings they take.

The constraints are pydantic's, which no package holds. Code that runs on Lambda must not import
this module at its top, nor `estserver.config.keys`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from estserver.config.key_names import key_name as key_name
from estserver.config.types import ClassPath, Region, RoleArn, TagKey, TagValue, TargetName

# Pydantic reads it from these classes. "strict" takes no "10" for 10.
FILE_FORMAT = {"alias_generator": key_name, "extra": "forbid", "strict": True}


@dataclass(frozen=True, kw_only=True)
class SignerConfig:
    """One way to sign, in the shape of an entry of Django's ``STORAGES``."""

    __pydantic_config__ = {**FILE_FORMAT, "alias_generator": str.upper}

    backend: ClassPath
    options: Mapping[str, Any] = field(default_factory=dict, repr=False, hash=False)


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A tag that AWS resources carry."""

    __pydantic_config__ = FILE_FORMAT

    key: TagKey
    value: TagValue


@dataclass(frozen=True, kw_only=True)
class IoTTargetConfig:
    """An AWS IoT registry that device certificates work with."""

    __pydantic_config__ = FILE_FORMAT

    name: TargetName
    region: Region = ""
    role_arn: RoleArn = ""


DEFAULT_SIGNERS = {
    "keyfile": SignerConfig(backend="pki.signers.keyfile.KeyFileSigner"),
    "secretsmanager": SignerConfig(backend="pki.signers.secretsmanager.SecretsManagerSigner"),
    "kms": SignerConfig(backend="pki.signers.kms.KMSSigner"),
}
EXTERNAL_SIGNER = "pki.signers.external.ExternalSigner"
