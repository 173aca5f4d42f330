"""What is done on the way to AWS, on the operator's machine: nothing here runs for a device."""
