"""S3 buckets: the truststore's, the packages', and the log of requests to them."""
