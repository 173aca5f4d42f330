"""A database backend of Django's: PostgreSQL, whose server proves its name, and IAM's tokens."""
