"""The words of the key ``adminSecondFactor``. Nothing here imports Django or pydantic."""

from enum import StrEnum


class SecondFactorRule(StrEnum):
    """Of whom the web admin asks a code of a second factor."""

    REQUIRED = "required"
    """Of everybody. A person who has none sets it up before any other page."""
    OPTIONAL = "optional"
    """Of people who have set one up."""
    NONE = "none"
    """Of nobody."""
