"""Encode and read the structures that EST and X.509 define."""
