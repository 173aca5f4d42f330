"""Proving a deployment from outside, as a device sees it: `manage.py smoke`."""
