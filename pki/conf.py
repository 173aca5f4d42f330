"""What an installation chooses for the CA: ``settings.PKI``.

The Django settings build it from the configuration file. The CA itself reads no file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings

from pki.choices import IdentityRule, IoTProvisioning, POPLinking
from pki.csr.key_algorithms import KeyAlgorithm


@dataclass(frozen=True, slots=True)
class DeviceCASettings:
    """Where the device CA comes from: generated, imported with its key, or signed elsewhere."""

    subject: str = "EST Device CA"
    key_algorithm: str = KeyAlgorithm.EC_P256
    validity_years: int = 10
    certificate_path: Path | None = None
    private_key_path: Path | None = None
    generate_certificate: bool = True
    """Whether a CA may be made when no certificate is given."""
    signer: str = "keyfile"
    certificate_secret_name: str = ""
    """The secret of the CA's certificate (PEM), for the signer `secretsmanager`."""
    key_secret_name: str = ""
    """The secret of the CA's key (PEM), likewise."""


@dataclass(frozen=True, slots=True)
class ClientCASettings:
    """Where the client CA comes from: generated, or the customer's truststore."""

    subject: str = "EST Client CA"
    key_algorithm: str = KeyAlgorithm.EC_P256
    validity_years: int = 10
    client_validity_years: int = 10
    truststore_path: Path | None = None
    signer: str = "keyfile"
    secret_name: str = ""
    """The secret of certificate and key (a JSON object), for the signer `secretsmanager`."""
    client_secret_name: str = ""
    """The secret of the first test client's certificate and key (a JSON object)."""
    client_pfx_secret_name: str = ""
    """The secret of the first test client's PKCS #12 file."""


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """Initial values of the default profile. Once it exists, the database is authoritative."""

    validity_days: int = 365
    identity_rule: str = IdentityRule.FIRST_USE
    identity_pattern: str = ""
    is_serial_number_required: bool = False
    can_adopt_names: bool = False
    pop_linking: str = POPLinking.IGNORE
    iot_provisioning: str = IoTProvisioning.NONE


@dataclass(frozen=True, slots=True)
class PKISettings:
    """Every choice of the installation that the CA knows."""

    data_dir: Path
    signers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    device_ca: DeviceCASettings = DeviceCASettings()
    client_ca: ClientCASettings = ClientCASettings()
    profile: ProfileSettings = ProfileSettings()
    server_names: tuple[str, ...] = ()
    """The host names that EST clients know this server by. No certificate is issued for them."""
    aws_region: str = ""
    """The region of Secrets Manager, KMS and Private CA; "" is the environment's."""
    custom_secret_name: str = ""
    """The secret in Secrets Manager for an external PKI's class; "" for none."""
    tags: tuple[tuple[str, str], ...] = ()
    """Key and value of each tag that every AWS resource gets."""
    project_name: str = ""
    """The installation's name, which tells its keys in KMS from those of others in the account."""
    can_make_keys: bool = True
    """Whether this process may make keys in KMS. A Lambda function may not (threat T55)."""
    has_lasting_disk: bool = True
    """Whether files outlive the process that writes them. Those of a Lambda function do not."""
    names: Mapping[str, str] = field(default_factory=dict, hash=False)
    """What operators call a setting, by its path here (``device_ca.signer``): `setting_name`."""


def pki_settings() -> PKISettings:
    """Return the installation's choices (``settings.PKI``)."""
    return settings.PKI


def setting_name(setting: str) -> str:
    """Return what operators call a setting, for a message: by default its path in `PKISettings`.

    A name that has no attribute here (``external_signer_class``) belongs to the application that
    builds ``settings.PKI``; messages name it all the same.
    """
    return pki_settings().names.get(setting, setting)
