"""The pages of devices: their list, and one page of all that is known of a thing name."""
