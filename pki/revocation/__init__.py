"""Revocation of certificates, and the certificate revocation lists (RFC 5280 5)."""
