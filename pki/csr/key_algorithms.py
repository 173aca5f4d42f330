"""The key algorithms that a profile may name, in the order in which people should read them."""

from typing import Final

EC_KEYS: Final = ("ec-p256", "ec-p384", "ec-p521")
RSA_SIZES: Final = {"rsa-2048": 2048, "rsa-3072": 3072, "rsa-4096": 4096}
"""In bits."""

KEY_ALGORITHMS: Final[tuple[str, ...]] = (*EC_KEYS, *RSA_SIZES)
