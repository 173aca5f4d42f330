"""The denylist: which devices and clients may not enroll."""
