"""What is on record, and how it is written: transactions, the audit trail, intents, snapshots."""
