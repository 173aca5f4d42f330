"""The provisioning template and the IoT policy: versions, checks, preview, what AWS holds."""
