"""The provisioning template of AWS IoT: reading it, checking it, the thing it makes."""
