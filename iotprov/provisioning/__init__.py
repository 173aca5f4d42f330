"""What becomes of a certificate in AWS IoT: the outbox, and whoever makes AWS agree."""
