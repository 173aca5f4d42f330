"""The product against a pretended AWS account: ``make demo-aws``."""
