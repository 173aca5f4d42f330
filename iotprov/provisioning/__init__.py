"""Certificates in AWS IoT: the desired state, the outbox, and the worker that makes AWS agree."""
