"""What an installation costs: AWS's prices, and the bill of a configuration."""
