"""Taking over an existing installation of the CDK sample."""
