"""A database backend of Django's: PostgreSQL, with the credentials of a secret in AWS."""
