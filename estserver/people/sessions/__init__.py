"""Sessions: bound to a person, listed, ended, and short."""
