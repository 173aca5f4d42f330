"""Device CAs in AWS IoT: registered once at every target."""
