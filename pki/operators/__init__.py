"""Errors, the acting person and files, for the management commands and the web admin."""
