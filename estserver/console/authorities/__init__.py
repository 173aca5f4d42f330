"""The pages of CAs and the truststore: a CA's roll, and the versions that API Gateway trusts."""
