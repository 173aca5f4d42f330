"""Provisioning template and IoT policy: versions on record, pushes to AWS IoT, previews."""
