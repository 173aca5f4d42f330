"""What is wrong with a profile's settings, each sentence with the setting that it is about."""

from collections.abc import Iterable
from dataclasses import dataclass

from pki.operators.errors import OperatorError


@dataclass(frozen=True, slots=True)
class SettingProblem:
    """A sentence about one setting, which pages show at its field."""

    setting: str
    """The setting's name, as ``profiles set`` takes it."""
    sentence: str

    def __str__(self) -> str:
        return f"{self.setting}: {self.sentence}"


class SettingsRefused(OperatorError):
    """Settings cannot come in force. ``problems`` has all that is wrong with them."""

    def __init__(self, problems: Iterable[SettingProblem], advice: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(filter(None, [*map(str, self.problems), advice])))
