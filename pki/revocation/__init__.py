"""Revoking certificates, and the lists that say so (RFC 5280 5)."""
