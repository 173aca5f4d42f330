"""Which URL calls which code: ``est`` for devices, ``admin`` for people, never both at once."""
