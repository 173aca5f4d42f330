"""IAM roles: the functions', API Gateway's for its logs, and AWS IoT's."""
