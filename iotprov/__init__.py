"""AWS IoT Core: what happens to a certificate there. It knows nothing of HTTP."""
