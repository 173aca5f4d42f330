"""A database backend of Django's: PostgreSQL, by what a secret in Secrets Manager says."""
