"""CAs: made, imported, succeeded, and the first client to try an installation with."""
