"""Registration of device CAs in AWS IoT, at every target."""
