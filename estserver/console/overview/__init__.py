"""The overview: is the fleet all right, and what is to be done next."""
