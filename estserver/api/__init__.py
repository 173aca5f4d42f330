"""The management API at ``/api/v1/``: JSON for programs, on the admin's door, with a token."""
