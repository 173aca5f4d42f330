"""How large a proof is: small in `make test`, whole in `make proof`, or as the environment says."""

import os
import random

import pytest

SMALL_SECONDS, WHOLE_SECONDS = 600, 4 * 3600
SEED_VARIABLE = "EST_PROOF_SEED"


def sizes(variable: str, *, small: int, whole: int, name: str = "size") -> pytest.MarkDecorator:
    """Parametrize a test by its size. The environment's ``variable`` sets another whole size."""
    few, many = pytest.mark.timeout(SMALL_SECONDS), pytest.mark.timeout(WHOLE_SECONDS)
    number = int(os.environ.get(variable) or whole)
    return pytest.mark.parametrize(
        name,
        [
            pytest.param(small, id="small", marks=few),
            pytest.param(number, id="whole", marks=[pytest.mark.proof, many]),
        ],
    )


def seed() -> int:
    """Return the seed of this run: the environment's EST_PROOF_SEED, or a new one."""
    given = os.environ.get(SEED_VARIABLE)
    return int(given) if given else random.randrange(1_000_000)
