"""People's accounts: who may change which, and how a command does."""
