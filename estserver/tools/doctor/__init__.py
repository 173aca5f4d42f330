"""The doctor: one list of checks of an installation, for the command, the page and the overview."""
