"""What a management command changes."""

from enum import Enum


class Effect(Enum):
    """What a command changes, and so how its dry run works."""

    READS = "Changes nothing."
    DATABASE = "Changes the database alone. A dry run does all of it, and takes it back."
    MORE = "Changes more than the database. Its dry run says what would be done."
    RUNS = "Serves until it is stopped, or proves something by doing it. It has no dry run."
