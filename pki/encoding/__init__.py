"""Encoding and decoding of the structures that EST and X.509 define."""
