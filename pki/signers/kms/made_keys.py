"""How the CAs' keys in KMS are named and made, by a signer or by a deployment.

Deployments import this module, and so it imports no model.
"""

from collections.abc import Iterable
from typing import Any, Final

from pki.csr.key_algorithms import KeyAlgorithm

KEY_SPECS: Final[dict[str, str]] = {
    KeyAlgorithm.EC_P256: "ECC_NIST_P256",
    KeyAlgorithm.EC_P384: "ECC_NIST_P384",
    KeyAlgorithm.RSA_2048: "RSA_2048",
    KeyAlgorithm.RSA_3072: "RSA_3072",
    KeyAlgorithm.RSA_4096: "RSA_4096",
}
"""The names of key algorithms in this project, and in KMS.
https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html
"""

ALIAS_PREFIX = "alias/est/"
"""The beginning of the aliases of the keys that are made here."""


def key_name(purpose: str, ca: str) -> str:
    """Return the name of the key that is made for a CA before the CA is: ``device/device-ca-2``.

    It follows from the CA alone, so that the process that makes the CA finds the key.
    """
    return f"{purpose}/{ca}"


def alias_in(project_name: str, name: str) -> str:
    """Return the alias of a key that a deployment makes: ``alias/est/est-server/device/device-ca``.

    The project's name keeps a second one in the account from finding the first one's keys.
    """
    return f"{ALIAS_PREFIX}{project_name}/{name}"


def description_of(alias: str) -> str:
    """Return the description of a key that is made here under ``alias``.

    Only the owner of a key can change its description, and a tag can be set with less.
    """
    return f"CA key {alias.removeprefix(ALIAS_PREFIX)} of the EST server"


def creation(alias: str, key_algorithm: str, tags: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the parameters of CreateKey for a CA's key, whose algorithm is of ``KEY_SPECS``.

    https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html
    """
    return {
        "KeySpec": KEY_SPECS[key_algorithm],
        "KeyUsage": "SIGN_VERIFY",
        "Description": description_of(alias),
        "Tags": [{"TagKey": key, "TagValue": value} for key, value in tags],
    }
