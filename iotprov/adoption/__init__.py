"""Putting an installation of the CDK sample on record."""
