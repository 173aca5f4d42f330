"""Passwords: those that their owners choose, and guesses of them."""
