"""The kinds of jobs that have to do with AWS IoT."""
