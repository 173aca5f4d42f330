"""The one error that a configuration file can cause."""


class ConfigError(Exception):
    """The configuration cannot be used. The text has one line for each problem."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))
