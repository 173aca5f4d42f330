"""The entry points of the two Lambda functions, and what keeps their start short."""
