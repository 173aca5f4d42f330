"""Telling others what happened: webhooks, and the messages that are sent until they are taken."""
