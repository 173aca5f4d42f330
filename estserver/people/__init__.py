"""The people who work with the web admin: accounts, and where they come from."""
