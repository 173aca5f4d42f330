"""AWS IoT Core: certificates, things, policies and CAs there. It imports nothing of HTTP."""
