"""The URLs: ``est`` for devices and ``admin`` for people, never both in one process."""
