"""What people open: the pages of the web admin that estserver adds to those of its applications."""
