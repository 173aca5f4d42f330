"""What the account has to have before a deployment: certificates, quotas, a key, a secret."""
