"""JSON documents as people write them: positions, problems by line and column, placeholders."""
