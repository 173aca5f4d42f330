"""The signers on Lambda. By default it is Secrets Manager, as in the CDK sample."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from estserver.config import Config
from pki.signers import Signer, signer_class

KEYFILE = "keyfile"
SECRETS_MANAGER = "secretsmanager"


@dataclass(frozen=True, slots=True)
class SignerInUse:
    """A signer that the configuration chooses for the CAs of a purpose."""

    alias: str
    purposes: tuple[str, ...]
    """``device``, ``client`` or both."""
    keys: tuple[str, ...]
    """The configuration's keys that choose it."""
    signer: type[Signer]
    options: Mapping[str, Any]


def signers_in_use(config: Config) -> Iterator[SignerInUse]:
    """Yield the signers of device CA and client CA, each once. An unknown alias is left out.

    Raises ``OperatorError`` for a class that cannot be imported.
    """
    values = config.properties
    known = config.signer_settings()
    chosen = (
        (values.device_ca_signer, "device", "deviceCaSigner"),
        (values.client_ca_signer, "client", "clientCaSigner"),
    )
    for alias in dict.fromkeys(each for each, _, _ in chosen):
        if alias in known:
            yield SignerInUse(
                alias,
                tuple(purpose for each, purpose, _ in chosen if each == alias),
                tuple(key for each, _, key in chosen if each == alias),
                signer_class(alias, known[alias]["BACKEND"]),
                known[alias]["OPTIONS"],
            )


def for_lambda(config: Config) -> Config:
    """Return ``config`` with Secrets Manager for each CA whose signer the file does not name.

    By default keys are files, and Lambda has no disk that lasts. The secrets are encrypted with
    the deployment's own KMS key, unless ``signers`` configures the signer in another way. A signer
    that the file names stays, even one that `check_deployment` refuses.
    """
    keys = defaulted_signers(config)
    if not keys:
        return config
    from estserver.config.entries import DEFAULT_SIGNERS  # needs pydantic, which no package holds

    default = DEFAULT_SIGNERS[SECRETS_MANAGER]
    signers = {SECRETS_MANAGER: default, **config.properties.signers}
    if signers[SECRETS_MANAGER] == default:
        options = {"kmsKeyId": key_alias(config)}
        signers[SECRETS_MANAGER] = replace(default, options=options)
    properties = replace(config.properties, signers=signers)
    if "deviceCaSigner" in keys:
        properties = replace(properties, device_ca_signer=SECRETS_MANAGER)
    if "clientCaSigner" in keys:
        properties = replace(properties, client_ca_signer=SECRETS_MANAGER)
    return replace(config, properties=properties)


def defaulted_signers(config: Config) -> tuple[str, ...]:
    """Return the keys to which `for_lambda` gives another value than a laptop's."""
    return tuple(
        key
        for key, signer in (
            ("deviceCaSigner", config.properties.device_ca_signer),
            ("clientCaSigner", config.properties.client_ca_signer),
        )
        if signer == KEYFILE and key not in config.given
    )


def key_alias(config: Config) -> str:
    """Return the alias of the KMS key that encrypts the secrets."""
    return f"alias/{config.deployment.project_name}-secrets"
