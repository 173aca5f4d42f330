"""JSON documents: positions of values, problems by line and column, placeholders."""
