"""How open a deployed admin is, in sentences. The checks and the deployment ask here."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from estserver.config.second_factor import SecondFactorRule


@dataclass(frozen=True, slots=True)
class Exposure:
    """One thing that makes the admin more open than it has to be."""

    number: int
    """The number of its warning among Django's system checks."""
    finding: str
    advice: str


def exposures(networks: Sequence[str], second_factor: str) -> Iterator[Exposure]:
    """Yield what ``adminAllowedNetworks`` and ``adminSecondFactor`` leave open."""
    if networks:
        return
    yield Exposure(
        50,
        "The admin answers to every network (adminAllowedNetworks is not set).",
        "Set adminAllowedNetworks to the networks that your people come from.",
    )
    if second_factor != SecondFactorRule.REQUIRED:
        yield Exposure(
            51,
            f"Nobody needs a second factor there (adminSecondFactor is {second_factor}).",
            "Set adminSecondFactor to required. One guessed password opens the admin otherwise.",
        )
