"""The provisioning template of AWS IoT: reading, checking, and planning the thing."""
