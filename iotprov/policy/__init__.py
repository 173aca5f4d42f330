"""AWS IoT policies: checks, and the variables that they may use."""
