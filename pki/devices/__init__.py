"""Devices by their thing names: what the record says of one, and the list of all of them."""
