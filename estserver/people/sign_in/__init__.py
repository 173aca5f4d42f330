"""Signing in: the form, its limits, and what stands before every page."""
