"""The key algorithms that a profile may name, in the order in which people should read them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class KeyAlgorithm(StrEnum):
    """An algorithm with its size, as profiles, the configuration and the record write it."""

    EC_P256 = "ec-p256"
    EC_P384 = "ec-p384"
    EC_P521 = "ec-p521"
    RSA_2048 = "rsa-2048"
    RSA_3072 = "rsa-3072"
    RSA_4096 = "rsa-4096"


KEY_ALGORITHMS: Final[tuple[str, ...]] = tuple(one.value for one in KeyAlgorithm)

EC_KEYS: Final = (KeyAlgorithm.EC_P256, KeyAlgorithm.EC_P384, KeyAlgorithm.EC_P521)

RSA_SIZES: Final[Mapping[str, int]] = {
    KeyAlgorithm.RSA_2048: 2048,
    KeyAlgorithm.RSA_3072: 3072,
    KeyAlgorithm.RSA_4096: 4096,
}
"""In bits."""

CA_KEY_ALGORITHMS: Final = tuple(name for name in KEY_ALGORITHMS if name != KeyAlgorithm.EC_P521)
"""What a CA may be generated with: API Gateway's truststore takes no P-521."""
