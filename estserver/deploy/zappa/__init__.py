"""Zappa's side of a deployment: its settings, its stages, commands in its admin function."""
