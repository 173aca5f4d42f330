"""The CAs that API Gateway trusts in mutual TLS: bundle, stored versions, pushes, record."""
