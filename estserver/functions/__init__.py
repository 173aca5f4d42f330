"""The entry points of the two Lambda functions, and what makes their start short."""
