"""Enrollments, free of HTTP: their order, the installation's hooks, what is still to run."""
