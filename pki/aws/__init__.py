"""AWS: clients, and secrets in Secrets Manager. The only package that imports boto3."""
