"""Enrollment over Secure Transport (RFC 7030, RFC 8951) and nothing else."""
