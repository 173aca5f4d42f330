"""S3 buckets: truststore, packages, heads of the audit trail, and the log of requests."""
