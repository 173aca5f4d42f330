"""The one error that a configuration file can cause."""


class ConfigError(Exception):
    """The configuration can't be used; the text has one line for every problem found."""

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))
