"""What the management commands and the admin share: errors, the acting person, files."""
