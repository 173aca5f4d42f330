"""Proof of a deployment from outside, as a device uses it: `manage.py smoke`."""
