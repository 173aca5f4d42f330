"""Create, import and succeed CAs, and make a first client to try an installation with."""
