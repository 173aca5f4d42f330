"""The people who use the web admin: their accounts, and the addresses of their requests."""
