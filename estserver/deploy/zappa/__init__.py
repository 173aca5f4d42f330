"""Zappa as seen from here: its settings, its stage, commands inside its admin function."""
