"""The EST server: HTTP (RFC 7030), the web admin, and the composition of pki and iotprov."""
