"""``manage.py config_reference``: print or write the settings reference."""

from estserver.config.reference import REFERENCE_FILE, configuration_reference
from estserver.operations.reference_command import ReferenceCommand


class Command(ReferenceCommand):
    """See ``help``."""

    help = "Print the settings reference, or write it to docs/configuration.md."
    page = REFERENCE_FILE

    def text(self) -> str:
        """Return the page."""
        return configuration_reference()
