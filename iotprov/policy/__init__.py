"""AWS IoT policies: what is wrong with one, and the variables it may use."""
