"""Bulk actions as rows: worked on in chunks, cancelled between them, continued after a crash."""
